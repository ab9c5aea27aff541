"""Fields of a run that events and answers have alike, with what the schemas say of them."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

EndedAt = Annotated[datetime | None, Field(description="when the run ended")]
ComparedWith = Annotated[
    str | None, Field(description="the run whose model it was compared with; null when there was none")
]
ModelVersion = Annotated[str | None, Field(description="version in the Azure ML registry")]
Image = Annotated[str | None, Field(description="reference of the image with the model, by digest")]
FormVersion = Annotated[int, Field(ge=1, description="version of this form; fields may be added without a new one")]
