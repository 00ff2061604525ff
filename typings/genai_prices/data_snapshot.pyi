from datetime import datetime
from typing import Any

class Provider:
    id: str
    models: list[Any]

class ModelInfo:
    def get_prices(self, request_timestamp: datetime, conditions: dict[str, str] = ...) -> Any: ...

class DataSnapshot:
    providers: list[Provider]
    def find_provider_model(
        self, model_ref: str, provider: None, provider_id: str | None, provider_api_url: str | None
    ) -> tuple[Provider, ModelInfo]: ...

def get_snapshot() -> DataSnapshot: ...
