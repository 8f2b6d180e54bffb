"""Every error that Sluice raises on purpose.

SluiceError                 the root; its text is written for a person
├── RecipeError             the recipe cannot be used (file, line, key)
├── DataError               the data cannot be used
│   ├── BatchError          a batch is empty, or too much of it is unreadable
│   └── ContractError       rows or batches break a data contract
├── BaseModelError          the base model is unknown, or cannot be fetched or converted
├── TemplateError           a chat template is missing, or writes what cannot be served
├── StepProcessError        a step that runs in a process of its own died or failed
│   └── TrainingError       training stopped without a usable model
├── EvaluationError         a score could not be computed
├── RegistryError           the tracking server or a registered version is not as it should be
├── IntegrityError          bytes differ from the digest that names them
├── ApprovalError           an approval is missing, expired, used, or for something else
├── ServingError            the gateway refused or failed
└── StackError              a local server could not be started or reached

Each message says what happened, how many, and what to do next. `exit_code` is what
the command line returns for it.
"""

from __future__ import annotations


class SluiceError(Exception):
    """The root of all errors that are explained to the user instead of shown as a traceback."""

    exit_code = 1


class RecipeError(SluiceError):
    """The recipe cannot be used as it is written."""

    exit_code = 2


class DataError(SluiceError):
    """The data cannot be used."""


class BatchError(DataError):
    """A batch is empty, or too much of it cannot be read."""


class ContractError(DataError):
    """Data breaks a contract badly enough that nothing may be trained on it."""


class BaseModelError(SluiceError):
    """The base model is unknown, or cannot be fetched or converted."""


class TemplateError(SluiceError):
    """A chat template is missing, or writes prompts that could not be served as trained."""


class StepProcessError(SluiceError):
    """A step that runs in a process of its own died or reported a failure."""


class TrainingError(StepProcessError):
    """Training stopped without a usable model."""


class EvaluationError(SluiceError):
    """A score could not be computed."""


class RegistryError(SluiceError):
    """The tracking server did not answer, or a registered version is not as it should be."""


class IntegrityError(SluiceError):
    """Stored bytes differ from the digest that names them."""


class ApprovalError(SluiceError):
    """An approval is missing, expired, used before, or names something else."""


class ServingError(SluiceError):
    """The gateway refused a request or could not be reached."""


class StackError(SluiceError):
    """A local server could not be started or reached."""
