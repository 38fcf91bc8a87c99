import pytest

from nommerctl.adapters.presets import PresetLibrary
from nommerctl.domain.options import encoders, muxer_for
from nommerctl.errors import UsageError

NAMES = ["audio-m4a", "web-1080p", "web-480p", "web-720p"]


def test_the_library_names_its_presets() -> None:
    assert PresetLibrary().names() == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_each_preset_is_whole(name: str) -> None:
    preset = PresetLibrary().load(name)

    assert preset.name == name
    assert preset.description
    assert muxer_for(f"clip{preset.suffix}") in {"mp4", "ipod"}
    assert "aac" in encoders(preset.passes)
    assert preset.passes[-1].move_atom_to_front


@pytest.mark.parametrize("name", ["web-4k", "", "../presets/web-720p", "web-720p.toml"])
def test_an_unknown_preset_is_answered_with_the_names(name: str) -> None:
    with pytest.raises(UsageError) as refused:
        PresetLibrary().load(name)

    assert str(refused.value) == f"there is no preset {name!r}; there are {', '.join(NAMES)}"
