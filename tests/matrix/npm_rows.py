"""Applications of npm, pnpm and yarn, with packages of the npm registry."""

from matrix.row import IGNORED, Row, manifest, recipe

WEB = "[web]\ntype = npm\nservice = web.service\n"
OLD, NEW = "2.0.0", "2.1.3"  # of ms
VERSION_OF_MS = 'require("ms/package.json").version'
FAILS = {"preinstall": "exit 1"}


def script(word, *expressions):
    return f"console.log({', '.join([repr(word), *expressions])});\n"


def ms(version, **fields):
    return manifest(dependencies={"ms": version}, **fields)


def of_one_folder(name, **more):
    """A row whose component is the folder web, which needs ms."""
    return Row(**{
        "name": name,
        "config": WEB,
        "files": {".gitignore": IGNORED, "web/package.json": ms(OLD),
                  "web/index.js": script("one", VERSION_OF_MS)},
        "changed": {"web/package.json": ms(NEW),
                    "web/index.js": script("two", VERSION_OF_MS)},
        "broken": {"web/package.json": ms(NEW, scripts=FAILS)},
        "programs": [("web", ["node", "index.js"])],
        "prints": (f"one {OLD}", f"two {NEW}"),
        "makes": ["web/node_modules/ms/package.json"]} | more)


LOCK = ["npm", "install", "--package-lock-only", "--ignore-scripts"]
WORKSPACES = manifest(workspaces=["packages/*"])
LIBRARY = manifest(name="library", main="library.js")


def workspace(name, version, **scripts):
    return manifest(name=name, scripts=scripts, dependencies={
        "ms": version, "library": "*"})


def of_workspaces(name, config, *more):
    """A root with the workspaces api, library and those of `more`."""
    workspaces = ["api", *more]
    speak = script("one", VERSION_OF_MS, 'require("library")')
    return Row(
        name=name, config=config,
        files={".gitignore": IGNORED, "package.json": WORKSPACES,
               "packages/library/package.json": LIBRARY,
               "packages/library/library.js": "module.exports = 'first';\n"}
        | {f"packages/{it}/package.json": workspace(it, OLD)
           for it in workspaces}
        | {f"packages/{it}/index.js": speak for it in workspaces},
        changed={"packages/library/library.js": "module.exports = 'next';\n"}
        | {f"packages/{it}/package.json": workspace(it, NEW)
           for it in workspaces},
        broken={"packages/api/package.json": workspace("api", NEW, **FAILS)},
        # Without it, npm leaves packages where they were before.
        author=[(".", LOCK)],
        programs=[(f"packages/{it}", ["node", "index.js"])
                  for it in workspaces],
        prints=("\n".join([f"one {OLD} first"] * len(workspaces)),
                "\n".join([f"one {NEW} next"] * len(workspaces))),
        makes=["node_modules/ms/package.json", "node_modules/library"])


API = "[api]\ndirectory = packages/api\ntype = npm\nservice = api.service\n"
SITE = ("[site]\ndirectory = packages/site\ntype = npm\n"
        "service = site.service\n")

MAKE_PAGE = """\
const fs = require("fs");
fs.mkdirSync("dist", { recursive: true });
fs.writeFileSync("dist/page.js", "module.exports = 'page %s';\\n");
"""

CRC = """\
const { crc32 } = require("@node-rs/crc32");
console.log(crc32("text"), require("@node-rs/crc32/package.json").version);
"""

ROOT = "[app]\ndirectory = .\ntype = npm\nservice = app.service\n"


READ_ONLY = "a build aside cannot change what git runs in the checkout"


def hooked(name, package, prepare, *only_in_place, **files):
    """An application at the top whose install sets up hooks of git."""
    def at(version, **scripts):
        return manifest(dependencies={"ms": version}, devDependencies=package,
                        scripts=prepare | scripts)
    return Row(
        name=name, config=ROOT,
        files={".gitignore": IGNORED, "package.json": at(OLD),
               "index.js": script("one", VERSION_OF_MS)} | files,
        changed={"package.json": at(NEW)},
        broken={"package.json": at(NEW, **FAILS)},
        programs=[(".", ["node", "index.js"])],
        prints=(f"one {OLD}", f"one {NEW}"),
        only_in_place=dict.fromkeys(only_in_place, READ_ONLY))


def built(word, version, **scripts):
    """The package.json of a front end that vite builds."""
    return manifest(
        type="module", description=word, dependencies={"ms": version},
        devDependencies={"vite": "5.4.9"},
        scripts={"build": "vite build"} | scripts)


VITE_CONFIG = """\
import { defineConfig } from "vite";
const file = { entryFileNames: "[name].js", assetFileNames: "[name].[ext]" };
export default defineConfig({
  build: { rollupOptions: { output: file } },
});
"""
PAGE = ('<!doctype html>\n<title>%s</title>\n'
        '<script type="module" src="/main.js"></script>\n')
SAY = 'import ms from "ms";\ndocument.title = `%s ${ms("1m")}`;\n'
FIND_TITLE = ["sed", "-n", "s/.*<title>\\(.*\\)<.title>.*/\\1/p",
              "dist/index.html"]

NEXT_BUILD = """\
const fs = require("fs");
fs.mkdirSync(".next/server", { recursive: true });
fs.copyFileSync("pages/index.js", ".next/server/page.js");
fs.writeFileSync(".next/BUILD_ID", require("ms/package.json").version);
"""
NEXT_SERVER = """\
const fs = require("fs");
const page = require("./.next/server/page.js");
console.log(page(), fs.readFileSync(".next/BUILD_ID", "utf8"));
"""
NEXT = {"build": "node build.js", "start": "node server.js"}

# pnpm keeps what it has replaced for a week, and only in place is there
# anything to keep.
FORGET = "modules-cache-max-age=0\n"
MONOREPO = {
    ".gitignore": IGNORED, ".npmrc": FORGET,
    "package.json": manifest(),
    "pnpm-workspace.yaml": "packages:\n  - apps/*\n  - libraries/*\n",
    "libraries/words/package.json": manifest(name="words", main="words.js"),
    "libraries/words/words.js": "module.exports = 'first';\n",
    "apps/api/index.js": script("one", VERSION_OF_MS, 'require("words")'),
}


def member(version, **scripts):
    return manifest(name="api", scripts=scripts, dependencies={
        "ms": version, "words": "workspace:*"})


ROWS = [
    of_one_folder("plain"),
    of_one_folder("lock", author=[("web", LOCK)]),
    of_one_folder("ci", config=WEB + "install = npm ci\n",
                  author=[("web", LOCK)]),
    of_one_folder("shrinkwrap", author=[("web", LOCK),
                                        ("web", ["npm", "shrinkwrap"])]),
    of_one_folder(
        "postinstall",
        files={".gitignore": IGNORED, "web/make.js": MAKE_PAGE % 1,
               "web/package.json": ms(OLD, scripts={
                   "postinstall": "node make.js"}),
               "web/index.js": "console.log(require('./dist/page.js'));\n"},
        changed={"web/make.js": MAKE_PAGE % 2,
                 "web/package.json": ms(NEW, scripts={
                     "postinstall": "node make.js"})},
        prints=("page 1", "page 2"), makes=["web/dist/page.js"]),
    of_one_folder(
        "linked",
        files={".gitignore": IGNORED, "web/.npmrc": "install-links=false\n",
               "library/package.json": LIBRARY,
               "library/library.js": "module.exports = 'first';\n",
               "web/index.js": script("one", 'require("library")'),
               "web/package.json": manifest(dependencies={
                   "library": "file:../library"})},
        changed={"web/package.json": manifest(dependencies={
            "library": "file:../library", "ms": NEW}),
            "library/library.js": "module.exports = 'next';\n"},
        prints=("one first", "one next"), makes=["web/node_modules/library"]),
    of_one_folder(
        "submodule", config="submodules = update\n" + WEB,
        files={".gitignore": IGNORED, "web/package.json": ms(OLD),
               "web/index.js": script("one", VERSION_OF_MS,
                                      'require("../library/library.js")')},
        changed={"web/package.json": ms(NEW)},
        submodules={"library": (
            {"library.js": "module.exports = 'first';\n"},
            {"library.js": "module.exports = 'next';\n"})},
        prints=(f"one {OLD} first", f"one {NEW} next")),
    of_one_folder(
        "native",
        files={".gitignore": IGNORED, "web/index.js": CRC,
               "web/package.json": manifest(dependencies={
                   "@node-rs/crc32": "1.9.2"})},
        changed={"web/package.json": manifest(dependencies={
            "@node-rs/crc32": "1.10.6"})},
        prints=("999008199 1.9.2", "999008199 1.10.6"), makes=[]),
    of_one_folder(
        "below",
        files={".gitignore": IGNORED,
               "web/package.json": manifest(
                   workspaces=["parts/*"], dependencies={"ms": NEW}),
               "web/parts/old/package.json": manifest(
                   name="old", dependencies={"ms": OLD}),
               "web/parts/old/index.js":
                   f"module.exports = {VERSION_OF_MS};\n",
               "web/index.js": script("one", VERSION_OF_MS,
                                      'require("old")')},
        changed={"web/parts/old/package.json": manifest(
            name="old", dependencies={"ms": "2.1.1"}),
            "web/package.json": manifest(
                workspaces=["parts/*"], dependencies={"ms": "2.1.2"})},
        broken={"web/package.json": manifest(
            workspaces=["parts/*"], dependencies={"ms": "2.1.2"},
            scripts=FAILS)},
        prints=(f"one {NEW} {OLD}", "one 2.1.2 2.1.1"),
        makes=["web/parts/old/node_modules/ms/package.json"]),
    of_workspaces("workspace", API),
    of_workspaces("shared-root", API + SITE, "site"),
    hooked("husky", {"husky": "9.1.7"}, {"prepare": "husky"},
           ".git/config", ".husky"),
    hooked("lefthook", {"lefthook": "1.11.3"}, {},
           ".git/hooks/pre-commit", ".git/hooks/prepare-commit-msg",
           **{"lefthook.yml": "pre-commit:\n  commands:\n    lint:\n"
              "      run: 'true'\n"}),
    of_one_folder(
        "pnpm",
        files={".gitignore": IGNORED, "web/.npmrc": FORGET,
               "web/package.json": ms(OLD),
               "web/index.js": script("one", VERSION_OF_MS)},
        config="[web]\ntype = generic\nservice = web.service\n"
        "manifest = package.json\nmanifest = pnpm-lock.yaml\n"
        "install = pnpm install --frozen-lockfile\n"
        "environment = node_modules\n",
        author=[("web", ["pnpm", "install", "--lockfile-only"])],
        makes=["web/node_modules/.pnpm/ms@2.0.0"]),
    of_one_folder(
        "yarn", config="[web]\ntype = generic\nservice = web.service\n"
        "manifest = package.json\nmanifest = yarn.lock\n"
        "install = yarn install --frozen-lockfile\n"
        "environment = node_modules\n",
        author=[("web", ["yarn", "install", "--ignore-scripts"])],
        makes=["web/node_modules/.yarn-integrity"]),
    Row(name="vite", config=recipe("A vite front end, served as files"),
        files={".gitignore": IGNORED, "site/package.json": built("1", OLD),
               "site/vite.config.js": VITE_CONFIG,
               "site/index.html": PAGE % "one", "site/main.js": SAY % "one"},
        changed={"site/package.json": built("2", NEW),
                 "site/index.html": PAGE % "two"},
        broken={"site/main.js": "import { no } from './such-file.js';\n"},
        programs=[("site", FIND_TITLE)], prints=("one", "two"),
        makes=["site/dist/index.js"]),
    Row(name="next", config=recipe("A server of node that is built, as of "
                                   "Next.js"),
        files={".gitignore": IGNORED + ".next/\n",
               "web/package.json": ms(OLD, scripts=NEXT),
               "web/build.js": NEXT_BUILD, "web/server.js": NEXT_SERVER,
               "web/pages/index.js": "module.exports = () => 'one';\n"},
        changed={"web/pages/index.js": "module.exports = () => 'two';\n"},
        broken={"web/build.js": "throw new Error('not today');\n"},
        programs=[("web", ["npm", "--silent", "start"])],
        prints=(f"one {OLD}", f"two {OLD}"), makes=["web/.next/BUILD_ID"]),
    Row(name="monorepo", config=recipe("A monorepo of pnpm"),
        files=MONOREPO | {"apps/api/package.json": member(OLD)},
        changed={"apps/api/package.json": member(NEW),
                 "libraries/words/words.js": "module.exports = 'next';\n"},
        broken={"apps/api/package.json": member(NEW, **FAILS)},
        author=[(".", ["pnpm", "install", "--lockfile-only"])],
        programs=[("apps/api", ["node", "index.js"])],
        prints=(f"one {OLD} first", f"one {NEW} next"),
        makes=["apps/api/node_modules/words"]),
]
