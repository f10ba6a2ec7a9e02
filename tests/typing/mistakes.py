"""What type checkers must refuse; nothing here is ever run.

mypy and pyright complain about a silencer that silences nothing, so each line is a test: the
reason of each is that the call is a mistake.
"""

# pyright: reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

from humeai_async import HumeAI


async def misspell_keys(hume: HumeAI) -> None:
    await hume.batch.start_job(urls=["https://a"], models={"fase": {}})  # type: ignore[arg-type]  # no such model
    await hume.batch.start_job(urls=["https://a"], models={"face": {"fps": 1}})  # type: ignore[arg-type]  # no such key
    await hume.configs.create(name="a", evi_version="3", timeouts={"inactive": {}})  # type: ignore[arg-type]  # no such key
    await hume.configs.create(name="a", evi_version="3", tools=[{"version": 1}])  # type: ignore[list-item]  # lacks the id
    hume.chat.connect(session_settings={"audio": {"rate": 1}})  # type: ignore[arg-type]  # no such key
