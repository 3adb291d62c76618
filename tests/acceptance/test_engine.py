from app.model.acceptance import Verdict
from tests.acceptance.kit import central, run_one, station, told


async def test_a_healthy_boot_passes():
    async with central() as server, station(server):
        result = await run_one(server, "A16-BOOT-01")
        assert result.verdict is Verdict.PASS, told(result)


async def test_try_all():
    from app.acceptance.case import cases
    from tests.acceptance.kit import run_cases

    async with central() as server, station(server):
        result = await run_cases(server, cases())
        for item in result.results:
            print(told(item) if item.verdict is not Verdict.PASS else (item.case_id, "PASS", item.took_s))
