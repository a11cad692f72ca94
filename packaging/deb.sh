#!/bin/sh
# deb.sh [OUT] - build the Debian package into OUT (dist/): source folder, then dpkg-buildpackage, then lintian.
# All that needs the network happens here, from the hashed requirements.txt; debian/rules works offline.
# VERSION=... builds another version than the code's own; LINTIAN=no leaves lintian out; PACK=... is for dpkg-deb (-Znone).
set -eu
ROOT=$(cd "$(dirname "$0")/.." && pwd)
OUT=$(realpath -m "${1:-$ROOT/dist}")
PY=${PY:-$ROOT/.venv/bin/python}
CACHE=$ROOT/build/deb-wheels
WORK=$ROOT/build/deb
SYSTEM_PYTHON=/usr/bin/python3
TOOLS="dpkg-buildpackage dh"
[ "${LINTIAN:-yes}" = no ] || TOOLS="$TOOLS lintian"

for tool in $TOOLS; do
    command -v "$tool" >/dev/null || { echo "missing: $tool (apt-get install dpkg-dev debhelper lintian python3-venv)" >&2; exit 2; }
done
version=${VERSION:-$(sed -n 's/^__version__ = "\(.*\)"$/\1/p' "$ROOT/agent/taxagent/__init__.py")}
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git -C "$ROOT" log -1 --format=%ct)}
export SOURCE_DATE_EPOCH
source=$WORK/taxagent-$version
rm -rf "$WORK"
mkdir -p "$source/wheels" "$OUT"

# 1. What git knows of the tree, as it stands in the folder.
git -C "$ROOT" ls-files -z --cached --others --exclude-standard -- agent client docs examples packaging LICENSE README.md README.zh-CN.md CHANGELOG.md \
    | tar -C "$ROOT" --null --files-from=- --ignore-failed-read -cf - | tar -C "$source" -xf -
mv "$source/packaging/debian" "$source/debian"

# 2. The two wheels of the project, and those of others by their hashes, for the system's own interpreter.
"$PY" -m pip --disable-pip-version-check wheel --quiet --no-deps --no-build-isolation --no-cache-dir \
    --wheel-dir "$source/wheels" "$source/client" "$source/agent"
"$PY" "$ROOT/tools/runtime_pins.py" "$ROOT/requirements.txt" > "$WORK/runtime.txt"
tag=$("$SYSTEM_PYTHON" -c 'import sys; print("%d%d" % sys.version_info[:2])')
key=$(cat "$WORK/runtime.txt" - <<KEY | sha256sum | cut -d' ' -f1
$tag $(dpkg --print-architecture)
KEY
)
if [ ! -e "$CACHE/$key" ]; then
    rm -rf "$CACHE"
    mkdir -p "$CACHE"
    "$PY" -m pip --disable-pip-version-check download --quiet --require-hashes --no-deps --only-binary :all: \
        --python-version "$tag" --implementation cp --dest "$CACHE" --requirement "$WORK/runtime.txt"
    : > "$CACHE/$key"
fi
cp "$CACHE"/*.whl "$source/wheels/"

# 3. What follows from them: the changelog from the version, the licences from the wheels.
cat > "$source/debian/changelog" <<LOG
taxagent ($version) unstable; urgency=medium

  * Version $version; what is new stands in CHANGELOG.md.

 -- $(git -C "$ROOT" log -1 --format='%an <%ae>')  $(date -R -u -d "@$SOURCE_DATE_EPOCH")
LOG
sed -i "s/^Maintainer: .*/Maintainer: $(git -C "$ROOT" log -1 --format='%an <%ae>')/" "$source/debian/control"
"$PY" "$ROOT/tools/wheel_licences.py" "$source/debian/copyright.in" "$source"/wheels/*.whl > "$source/debian/copyright"
rm "$source/debian/copyright.in"

# 4. Debian's own tools.
(cd "$source" && PACK=${PACK:-} dpkg-buildpackage --build=binary --unsigned-changes --unsigned-buildinfo) > "$WORK/log" 2>&1 \
    || { tail -40 "$WORK/log" >&2; exit 1; }
deb=$WORK/taxagent_${version}_$(dpkg --print-architecture).deb
[ "${LINTIAN:-yes}" = no ] || lintian --fail-on error --tag-display-limit 0 "$deb"
cp "$deb" "$OUT/"
echo "$OUT/${deb##*/}"
