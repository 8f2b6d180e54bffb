"""What is done with personal data in the rows."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from sluice.recipe.section import Section

Treatment = Literal["mask", "drop", "quarantine", "keep"]


class PrivacySection(Section):
    """One treatment for each kind of private data: mask it, drop or quarantine the row, keep it."""

    email: Treatment = Field(default="mask", description="E-mail addresses.")
    phone: Treatment = Field(
        default="mask",
        description="Telephone numbers, except toll-free, shared-cost and premium lines, which "
        "reach a company and no person.",
    )
    national_id: Treatment = Field(
        default="mask", description="National identity numbers whose checksum is right."
    )
    bank_card: Treatment = Field(
        default="mask", description="Bank card and account numbers whose checksum is right."
    )
    ip_address: Treatment = Field(
        default="mask",
        description="IP addresses, those of private networks as well; not loopback and netmasks.",
    )
    secret: Treatment = Field(
        default="quarantine", description="Access keys, tokens, private keys and passwords."
    )
    phone_regions: tuple[str, ...] = Field(
        default=("CN", "US", "GB", "DE"),
        description="Regions whose national telephone numbers are recognised without a + prefix "
        "(ISO 3166-1 codes).",
    )
    public: tuple[str, ...] = Field(
        default=(),
        description="Addresses and numbers that are meant to be told to everybody, such as the "
        "shop's own: never masked, however they are written.",
    )
    mask_language: Literal["english", "chinese"] = Field(
        default="english",
        description="Language of the masks: `[EMAIL]` or `[邮箱]`. One language for all rows, so "
        "that a mask is one word to the model.",
    )
