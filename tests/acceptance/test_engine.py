from app.model.acceptance import Verdict
from tests.acceptance.kit import central, run_one, station, told


async def test_a_healthy_boot_passes():
    async with central() as server, station(server):
        result = await run_one(server, "A16-BOOT-01")
        assert result.verdict is Verdict.PASS, told(result)
