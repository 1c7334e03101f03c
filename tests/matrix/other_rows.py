"""Applications in Python and Go."""

from matrix.row import IGNORED, Files, Row, Wheel, recipe

APP = "[app]\ntype = python\nservice = app.service\n"
OLD, NEW = (f"greeting-{version}-py3-none-any.whl" for version in "12")
GREETING = {
    f"wheels/{OLD}": Wheel("greeting", "1", "WORDS = 'good morning'\n"),
    f"wheels/{NEW}": Wheel("greeting", "2", "WORDS = 'good evening'\n"),
}
SPEAK = "import greeting\nprint(greeting.__version__, greeting.WORDS)\n"
SPOKEN = ("1 good morning", "2 good evening")
GONE = "./wheels/gone-1-py3-none-any.whl\n"


def of_one_folder(name, **more):
    """A row whose component is the folder app, with local wheels."""
    return Row(**{
        "name": name,
        "config": APP,
        "files": {".gitignore": IGNORED, "app/main.py": SPEAK,
                  "app/requirements.txt": f"./wheels/{OLD}\n"}
        | {f"app/{path}": wheel for path, wheel in GREETING.items()},
        "changed": {"app/requirements.txt": f"./wheels/{NEW}\n"},
        "broken": {"app/requirements.txt": GONE},
        "programs": [("app", ["venv/bin/python", "main.py"])],
        "prints": SPOKEN,
        "makes": ["app/venv/bin/python"]} | more)


PROJECT = """\
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"

[project]
name = "foo"
version = "%s"

[tool.setuptools]
py-modules = ["foo"]
"""

ALEMBIC = """\
[alembic]
script_location = migrations
sqlalchemy.url = sqlite:////home/ubuntu/data/api.db
"""
MIGRATIONS = """\
from alembic import context
from sqlalchemy import create_engine

url = context.config.get_main_option("sqlalchemy.url")
with create_engine(url).connect() as connection:
    context.configure(connection)
    with context.begin_transaction():
        context.run_migrations()
"""
FIRST_MIGRATION = """\
import sqlalchemy
from alembic import op

revision = "1"
down_revision = None


def upgrade():
    op.create_table("items", sqlalchemy.Column("name", sqlalchemy.String))
"""
SECOND_MIGRATION = """\
import sqlalchemy
from alembic import op

revision = "2"
down_revision = "1"


def upgrade():
    op.add_column("items", sqlalchemy.Column("price", sqlalchemy.Integer))
"""
FASTAPI = """\
import sqlite3

from fastapi import FastAPI

app = FastAPI(title="%s")
database = sqlite3.connect("/home/ubuntu/data/api.db")


@app.get("/count")
def count():
    return database.execute("SELECT count(%s) FROM items").fetchone()[0]
"""
ASK = ["venv/bin/python", "-c",
       "import server; print(server.app.title, server.count())"]

MANAGE = """\
import os
import sys

from django.core.management import execute_from_command_line

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
execute_from_command_line(sys.argv)
"""
SETTINGS = """\
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent
SECRET_KEY = "for a test"
DEBUG = False
ALLOWED_HOSTS = ["*"]
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth",
                  "django.contrib.staticfiles"]
STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "assets"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3",
                         "NAME": "/home/ubuntu/data/shop.db"}}
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
ROOT_URLCONF = "shop.urls"
"""
DJANGO = """\
import os

import django
from django.conf import settings

os.environ["DJANGO_SETTINGS_MODULE"] = "shop.settings"
django.setup()
from django.contrib.auth.models import User  # noqa: E402

print((settings.STATIC_ROOT / "shop.css").read_text().strip(),
      User.objects.count())
"""

GO = """\
package main

import (
\t"fmt"

\t"example.org/words"
)

func main() { fmt.Println(words.First, "%s") }
"""
GO_MODULES: Files = {
    "api/go.mod": "module api\n\ngo 1.19\n\n"
    "require example.org/words v0.0.0\n\n"
    "replace example.org/words => ./words\n",
    "api/words/go.mod": "module example.org/words\n\ngo 1.19\n",
    "api/words/words.go": 'package words\n\nconst First = "first"\n',
}

ROWS = [
    of_one_folder(
        "includes",
        files={".gitignore": IGNORED, "app/main.py": SPEAK,
               "app/requirements.txt": "-r ../common.txt\n",
               "common.txt": f"../wheels/{OLD}\n"} | GREETING,
        changed={"common.txt": f"../wheels/{NEW}\n"},
        broken={"common.txt": GONE}),
    of_one_folder(
        "editable",
        files={".gitignore": IGNORED,
               "app/requirements.txt": "-e ./libs/foo\n",
               "app/libs/foo/pyproject.toml": PROJECT % 1,
               "app/libs/foo/foo.py": "WORDS = 'editable'\n",
               "app/main.py": "from importlib.metadata import version\n"
               "import foo\nprint(foo.WORDS, version('foo'))\n"},
        changed={"app/libs/foo/foo.py": "WORDS = 'edited'\n"},
        prints=("editable 1", "edited 1"),
        makes=["app/libs/foo/foo.egg-info/PKG-INFO"]),
    of_one_folder(
        "two-services", config=recipe("A worker and a web server of one "
                                      "folder"),
        files={".gitignore": IGNORED,
               "app/requirements.txt": f"./wheels/{OLD}\n",
               "app/web.py": SPEAK, "app/worker.py": SPEAK}
        | {f"app/{path}": wheel for path, wheel in GREETING.items()},
        programs=[("app", ["venv/bin/python", "web.py"]),
                  ("app", ["venv/bin/python", "worker.py"])],
        prints=(f"{SPOKEN[0]}\n{SPOKEN[0]}", f"{SPOKEN[1]}\n{SPOKEN[1]}")),
    Row(name="fastapi", config=recipe("FastAPI with alembic"),
        files={".gitignore": IGNORED,
               "api/server.py": FASTAPI % ("one", "name"),
               "api/requirements.txt": "fastapi\nalembic\n",
               "api/alembic.ini": ALEMBIC,
               "api/migrations/env.py": MIGRATIONS,
               "api/migrations/versions/1.py": FIRST_MIGRATION},
        changed={"api/server.py": FASTAPI % ("two", "price")},
        stays={"api/migrations/versions/2.py": SECOND_MIGRATION},
        broken={"api/server.py": "import no_such_module\n"},
        programs=[("api", ASK)], prints=("one 0", "two 0")),
    Row(name="django", config=recipe("Django"),
        files={".gitignore": IGNORED + "static/\n",
               "shop/requirements.txt": "django\n", "shop/manage.py": MANAGE,
               "shop/shop/settings.py": SETTINGS,
               "shop/shop/urls.py": "urlpatterns = []\n",
               "shop/assets/shop.css": "one\n", "shop/main.py": DJANGO},
        changed={"shop/assets/shop.css": "two\n"},
        broken={"shop/shop/urls.py": "import no_such_module\n"},
        programs=[("shop", ["venv/bin/python", "main.py"])],
        prints=("one 0", "two 0"), makes=["shop/static/shop.css"]),
    Row(name="go", config=recipe("A program in Go"),
        files={".gitignore": "bin/\nvendor/\n", "api/main.go": GO % "one"}
        | GO_MODULES,
        changed={"api/main.go": GO % "two"},
        broken={"api/main.go": "package main\n"},
        programs=[("api", ["bin/api"])],
        prints=("first one", "first two"),
        makes=["api/bin/api", "api/vendor/example.org/words/words.go"]),
]
