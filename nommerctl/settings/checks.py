"""What settings must be to each other, beyond what each must be by itself."""

from collections.abc import Mapping
from pathlib import PurePath

from nommerctl.domain.config import NotifyFormat, Settings
from nommerctl.domain.config_fields import ConfigField, config_fields
from nommerctl.domain.durations import duration_text
from nommerctl.domain.s3_uris import is_part_of_bucket
from nommerctl.domain.schedule import is_regular
from nommerctl.domain.uris import check_http_url
from nommerctl.errors import SettingsError, UsageError
from nommerctl.settings.values import Given, refusal

_PREFIX = "whsec_"
_KEY_BYTES = 24, 64
"""What Standard Webhooks say of a secret: how it begins, and how few and how many bytes it may have."""

_MOST_KEYS = 2

PATHS = frozenset({"aws.package", "farm.state_dir", "upkeep.archive"})
"""Files and folders that cron, systemd and a hand at the terminal must all find in the same place."""


def check_path(given: Given) -> None:
    """SettingsError if one of PATHS depends on the folder that a command is started in."""
    if given.value and not PurePath(given.value).is_absolute():
        raise refusal(given, "an absolute path, or empty")


def check_aws(settings: Settings, given: Mapping[str, Given]) -> None:
    """SettingsError for what no policy can name, or nodes cannot ask for packages."""
    for place in settings.aws.buckets:
        if not is_part_of_bucket(place):
            allowed = 'buckets or folders in them, such as "films" or "films/out", without wildcards'
            raise refusal(given["aws.buckets"], allowed, instead=place)
    if settings.aws.index_url:
        try:
            check_http_url(settings.aws.index_url)
        except UsageError as error:
            msg = f"{given['aws.index_url'].said}: {error}"
            raise SettingsError(msg) from error


def check_zone(settings: Settings, given: Mapping[str, Given]) -> None:
    """SettingsError for a time zone that this machine does not know."""
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        ZoneInfo(settings.simpledb.old_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:  # of a name that is a path, too
        allowed = 'the name of a time zone, such as "America/New_York" (of a right one: install tzdata)'
        raise refusal(given["simpledb.old_zone"], allowed) from error


def check_notify(settings: Settings, given: Mapping[str, Given]) -> None:
    """SettingsError for secrets that cannot sign, or are missing, and for what is no network."""
    notify = settings.notify
    for each in notify.allow_private:
        from ipaddress import ip_network  # here, so that a farm without such networks does not pay for it

        try:
            ip_network(each)
        except ValueError as error:
            allowed = 'networks whose numbers end where their size says, such as "10.0.0.0/8"'
            raise refusal(given["notify.allow_private"], allowed, instead=each) from error
    if len(notify.secrets) > _MOST_KEYS or not all(map(_is_secret, notify.secrets)):
        allowed = 'one or two secrets, each "whsec_" and 24 to 64 random bytes in base64'
        raise refusal(given["notify.secrets"], allowed)
    if notify.format is NotifyFormat.STANDARD and not notify.secrets:
        said = given["notify.format"].said
        msg = f"{said} is 'standard', and notify.secrets has nothing to sign with: give it a secret, \"whsec_...\""
        raise SettingsError(msg)


def _is_secret(text: str) -> bool:
    from base64 import b64decode  # as above

    try:
        key = b64decode(text.removeprefix(_PREFIX), validate=True)
    except ValueError:
        return False
    return text.startswith(_PREFIX) and _KEY_BYTES[0] <= len(key) <= _KEY_BYTES[1]


def check_together(settings: Settings, given: Mapping[str, Given]) -> None:
    """SettingsError for the first settings that do not fit each other; `given` says where each comes from."""
    if settings.worker.heartbeat > settings.worker.lease / 3:
        problem = "must be at most a third of"
        raise _misfit(settings, given, "worker.heartbeat", problem, "worker.lease")
    if settings.scale.min_nodes > settings.scale.max_nodes:
        raise _misfit(settings, given, "scale.min_nodes", "must not be above", "scale.max_nodes")
    for field in config_fields().values():
        # The defaults are regular, so an irregular interval was given by somebody.
        if field.section == "schedule" and not is_regular(field.of(settings)):
            allowed = "whole minutes that divide an hour, whole hours that divide a day, or a day (cron knows no other)"
            raise refusal(given[field.name], allowed)


def _misfit(settings: Settings, given: Mapping[str, Given], name: str, problem: str, other: str) -> SettingsError:
    value, limit = (_value_and_place(config_fields()[each], settings, given) for each in (name, other))
    return SettingsError(f"{name}, {value}, {problem} {other}, {limit}")


def _value_and_place(field: ConfigField, settings: Settings, given: Mapping[str, Given]) -> str:
    value = field.of(settings)
    text = duration_text(value) if field.is_duration else str(value)
    place = given[field.name].place if field.name in given else "default"
    return f"{text} ({place})"
