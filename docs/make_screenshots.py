"""Take the pictures of what people see: `docs/images/*.png`.

    make demo KEEP=1 && make demo-fresh ASK=1 && .venv/bin/python docs/make_screenshots.py

Needs a stack that runs and a version that waits for approval, and Debian's packages `chromium` and
`chromium-driver`.
"""

from __future__ import annotations

import shutil
import sys
import time
from pathlib import Path

from selenium import webdriver
from selenium.common.exceptions import NoSuchElementException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

from sluice.home import Home
from sluice.registry.approvals import Approvals
from sluice.run_record import read_records
from sluice.stack.local import read_stack

IMAGES = Path(__file__).parent / "images"
WAIT_SECONDS = 40.0
SETTLE_SECONDS = 5.0  # the pages draw their graphs after they have loaded
OPTIONS = (
    "--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run --hide-scrollbars "
    "--disable-background-networking --disable-component-update --disable-sync"
)


def browser(width: int, height: int) -> webdriver.Chrome:
    """A headless Chromium of a given size in pixels."""
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or "chromium"
    for option in [*OPTIONS.split(), f"--window-size={width},{height}"]:
        options.add_argument(option)
    return webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))


def take(driver: webdriver.Chrome, address: str, name: str, click: str | None = None) -> None:
    """Open a page, press the button that begins with `click` if one is named, and keep the page."""
    driver.get(address)
    if click:
        button = WebDriverWait(driver, WAIT_SECONDS).until(lambda d: _button(d, click))
        button.click()
    time.sleep(SETTLE_SECONDS)
    driver.save_screenshot(str(IMAGES / name))
    sys.stdout.write(f"{name}\n")


def _button(driver: webdriver.Chrome, text: str) -> WebElement:
    buttons = driver.find_elements(By.TAG_NAME, "button")
    found = next((b for b in buttons if b.text.strip().startswith(text)), None)
    if found is None:
        raise NoSuchElementException(text)
    return found


def main() -> None:
    """Take all pictures."""
    home = Home.current()
    stack, records = read_stack(home), read_records(home.runs)
    waiting = Approvals(home.approvals).pending()
    prefect = stack.url("prefect")
    if not prefect or not waiting or not records:
        sys.exit(
            "A stack must run and a version must wait for approval; see this file's first lines."
        )
    run = next(r for r in records if r.evidence_digest == waiting[0].evidence_digest)
    report = home.lake.root / "evidence" / waiting[0].evidence_digest / "report.html"
    driver = browser(1400, 1000)
    try:
        take(driver, f"{prefect}/runs/flow-run/{run.flow_run_id}", "prefect-retrain.png")
        take(driver, run.links["MLflow run"], "mlflow-run.png")
        driver.set_window_size(1400, 1250)
        take(
            driver,
            f"{prefect}/runs/flow-run/{waiting[0].flow_run_id}",
            "prefect-form.png",
            "Resume",
        )
        driver.set_window_size(1200, 2400)
        take(driver, report.as_uri(), "report.png")
    finally:
        driver.quit()


if __name__ == "__main__":
    main()
