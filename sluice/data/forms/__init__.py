"""The forms that rows come in, found by their columns or set in the recipe, and made canonical.

Known forms are `alpaca`, `prompt_completion`, `messages`, `sharegpt`, `text`, `input_output` and
`input_label`; any other is read by the recipe's templates (`mapping`). A row that does not fit is
a reject with a reason; nothing is guessed.
"""

from __future__ import annotations

from sluice.data.forms.convert import Convert, converter
from sluice.data.forms.detect import FormFound, detect_form

__all__ = ["Convert", "FormFound", "converter", "detect_form"]
