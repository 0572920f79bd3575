"""Real wikis on loopback, from Debian's packages and PHP's own server, with data of their own.

Each has one page and an editor that is driven as people drive it. What docs/wiki.md says to set up
is taken out of it by `recipe`, with the addresses of the test in the place of its examples.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from tests.browser.serving import listening, origin

PHP = shutil.which("php")
DOC = Path(__file__).parents[2] / "docs" / "wiki.md"
OURS, WIKI = "https://onrecord.example.org", "https://wiki.example.org"  # as the doc has them


def recipe(heading: str, language: str, ours: str = OURS, wiki: str = WIKI) -> list[str]:
    """The code blocks of a language below a heading of the doc, up to the next heading."""
    text = DOC.read_text("utf-8")
    section = re.search(rf"(?ms)^## {re.escape(heading)}$(.*?)(?=^## |\Z)", text)
    assert section, heading
    blocks: list[str] = re.findall(rf"(?ms)^```{language}\n(.*?)^```$", section[1])
    return [block.replace(OURS, ours).replace(WIKI, wiki) for block in blocks]


def needs(folder: str, package: str) -> Path:
    """The folder of a Debian package; skips where it, or PHP, is not installed."""
    if PHP is None:
        pytest.skip("PHP is not installed (apt-get install php-cli php-xml php-mbstring)")
    found = Path(folder)
    if not found.is_dir():
        pytest.skip(f"{package} is not installed (apt-get install {package})")
    return found


@contextmanager
def php(root: Path, environment: dict[str, str]) -> Iterator[str]:
    """PHP's own server over a folder; gives its origin."""
    with listening() as listener:
        address = origin(listener)
    assert PHP
    server = subprocess.Popen(
        [PHP, "-d", "max_execution_time=120", "-S", address.removeprefix("http://"), "-t", root],
        env={**os.environ, **environment, "PHP_CLI_SERVER_WORKERS": "2"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        wait_for(address)
        yield address
    finally:
        os.killpg(server.pid, 15)  # its workers too
        server.wait(20)


def wait_for(address: str) -> None:
    for _ in range(200):
        try:
            urlopen(f"{address}/robots.txt", timeout=60).close()
        except URLError as error:
            if not isinstance(error.reason, ConnectionRefusedError):
                return  # it answers
            time.sleep(0.1)
        else:
            return
    raise TimeoutError(address)


@contextmanager
def dokuwiki(folder: Path, ours: str) -> Iterator[str]:
    """A DokuWiki that everybody may edit, with the doc's plugin and listener; its origin."""
    source = needs("/usr/share/dokuwiki", "dokuwiki")
    root = folder / "dokuwiki"
    shutil.copytree(source, root)
    shutil.copytree(
        "/etc/dokuwiki", root / "conf", ignore=shutil.ignore_patterns("*users*", "*acl*")
    )
    for name in ("pages", "attic", "cache", "index", "locks", "log", "media", "media_attic",
                 "media_meta", "meta", "tmp"):  # fmt: skip
        (root / "data" / name).mkdir(parents=True)
    (root / "inc" / "preload.php").write_text("<?php\n")  # Debian's leads back to its own folders
    (root / "conf" / "local.php").write_text(
        "<?php $conf['useacl'] = 0; $conf['updatecheck'] = 0;\n"
    )
    plugin = root / "lib" / "plugins" / "onrecord"
    plugin.mkdir()
    (plugin / "plugin.info.txt").write_text(recipe("DokuWiki", "text", ours)[0])
    (plugin / "syntax.php").write_text(recipe("DokuWiki", "php", ours)[0])
    (root / "conf" / "userscript.js").write_text(recipe("DokuWiki", "js", ours)[0])
    with php(root, {}) as address:
        yield address


@contextmanager
def mediawiki(folder: Path, ours: str) -> Iterator[str]:
    """A MediaWiki on SQLite that all may edit, with the doc's tag and listener; its origin."""
    root = needs("/usr/share/mediawiki", "mediawiki")
    made = folder / "mediawiki"
    made.mkdir()
    assert PHP
    run = [PHP, "-d", "error_reporting=0"]
    subprocess.run(
        [*run, root / "maintenance" / "install.php", "--dbtype", "sqlite", "--dbpath", made,
         "--dbname", "wiki", "--scriptpath", "", "--server", "http://127.0.0.1", "--confpath", made,
         "--pass", "correct-horse-battery", "--skins", "Vector", "Wiki", "Admin"],
        check=True, capture_output=True, cwd=made,
    )  # fmt: skip
    settings = made / "LocalSettings.php"
    with settings.open("a") as more:
        more.write(recipe("MediaWiki", "php", ours)[0].removeprefix("<?php"))
        more.write('\n$wgServer = "http://" . ( $_SERVER["HTTP_HOST"] ?? "127.0.0.1" );\n')
        more.write("$wgCacheDirectory = $wgTmpDirectory = __DIR__; $wgPingback = false;\n")
    environment = {"MW_CONFIG_FILE": str(settings)}
    subprocess.run(
        [*run, root / "maintenance" / "edit.php", "--user", "Admin", "MediaWiki:Common.js"],
        input=recipe("MediaWiki", "js", ours)[0], text=True, check=True, capture_output=True,
        env={**os.environ, **environment}, cwd=made,
    )  # fmt: skip
    with php(root, environment) as address:
        yield address
