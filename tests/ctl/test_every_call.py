"""What make check samples, whole: each call below the keeper and kosmoctl fails in turn (tests/unit/chaos.h)."""
import os
import subprocess

import pytest
from conftest import BUILD
from made import made


@pytest.mark.soak
@pytest.mark.parametrize("name", ["test_chaos_ctl", "test_chaos_keeper"])
def test_every_call_fails(name):
    made("unit", name)
    p = subprocess.run([BUILD / "tests/unit" / name], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                       env={**os.environ, "KOSMO_CHAOS": "all"})
    print(p.stdout.decode())
    assert p.returncode == 0
