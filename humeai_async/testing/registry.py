"""placeholder"""
from humeai_async.testing.world import World
from humeai_async.testing.exchange import Answer
from collections.abc import Callable
class Registry:
    def __init__(self, world: World, jobs: object) -> None:
        pass
    def routes(self) -> dict[str, Callable[..., Answer]]:
        return {}
