"""How a source is made."""

from pydantic import Field

from robust_tickets.data.settings import DataSettings
from robust_tickets.foundation.settings import Settings
from robust_tickets.training.settings import Training


class PretrainSettings(Settings):
    """How a source is made. The objective decides whether it is natural or robust."""

    data: DataSettings = Field(description="Data to train on.")
    training: Training = Field(default=Training(), description="Epochs, optimiser, objective and the rest.")
