from __future__ import annotations

from pathlib import Path

import pytest

from app.errors import StoreError
from app.settings import SIZE_LIMIT, Listed, Preset, Settings, load, save


def test_settings_survive_the_way_to_disk_and_back(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "settings.toml"
    wanted = Settings(
        site_name="Garage “Nord”",
        endpoint_port=9000,
        presets=(Preset(name="Coop", url="wss://csms.example/ocpp"),),
        listed=(Listed(serial="SN1", identity="CP-1", backend="wss://csms.example/ocpp"), Listed(identity="CP-2")),
    )
    save(wanted, path)
    assert load(path) == wanted
    assert [file.name for file in path.parent.iterdir()] == ["settings.toml"]


def test_a_missing_file_gives_the_defaults(tmp_path: Path) -> None:
    assert load(tmp_path / "none.toml") == Settings()


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("site_name = ", "damaged"),
        ("endpoint_port = 'many'", "endpoint_port"),
        ("endpoint_port = 70000", "70000"),
        ("endpoint_on = 1", "endpoint_on"),
        ("theme = 'pink'", "pink"),
        ("presets = 3", "presets"),
        ("presets = [3]", "preset"),
        ("listed = 'SN1'", "listed"),
        ("listed = [[1]]", "listed"),
        pytest.param("presets = " + "[" * 5000, "damaged", id="deep"),
        pytest.param("#" * 1_000_001, "longer", id="long"),
    ],
)
def test_a_damaged_file_is_named_and_not_touched(tmp_path: Path, text: str, names: str) -> None:
    path = tmp_path / "settings.toml"
    path.write_text(text)
    with pytest.raises(StoreError, match=names) as caught:
        load(path)
    assert "settings.toml" in caught.value.advice
    assert path.read_text() == text


def test_a_key_of_a_newer_program_does_not_stop_this_one(tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"
    path.write_text("holograms = true\nsite_name = 'A'\n")
    assert load(path).site_name == "A"


def test_a_failed_write_leaves_the_old_file_whole(tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"
    save(Settings(site_name="old"), path)
    blocked = tmp_path / "file"
    blocked.write_text("x")
    with pytest.raises(StoreError, match="can't be saved"):
        save(Settings(site_name="new"), blocked / "settings.toml")
    assert load(path).site_name == "old"


def test_what_could_not_be_read_again_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"
    save(Settings(site_name="old"), path)
    with pytest.raises(StoreError, match="too long"):
        save(Settings(listed=(Listed(identity="x" * SIZE_LIMIT),)), path)
    assert load(path).site_name == "old"
