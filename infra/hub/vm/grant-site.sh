#!/bin/sh
# Gives the VM the credentials by which trainings read a site's data: edgetrain-grant-site SITE < FILE
# FILE holds a connection string of the hub's storage account with read rights only (docs/rights.md). For root.
set -eu
umask 077
[ "$#" = 1 ] && [ "$(id -u)" = 0 ] || { echo "usage, as root: edgetrain-grant-site SITE < FILE" >&2; exit 2; }
case $1 in '' | *[!a-z0-9-]*) echo "$1 is no site's name; it is the site in the pipeline's file" >&2; exit 2 ;; esac
TRAINING_USER=edgetrain
. /etc/edgetrain/hub.env
home=$(getent passwd "$TRAINING_USER" | cut -d: -f6)
# By its input, so that no argument shows it.
text=$(python3 -I -c '
import json, sys
text = sys.stdin.read().strip()
if "=" not in text or len(text.splitlines()) != 1:
    sys.exit("give one line, a connection string of the storage account of the hub")
if "AccountKey=" in text:
    print("this key may do everything; better give a signature that may read (docs/rights.md)", file=sys.stderr)
json.dump({"connection_string": text, "api_version": "2019-07-07"}, sys.stdout)
')
# As the user whose folder it is: a link in it leads this user nowhere that the user could not go, and root not at all.
printf %s "$text" | runuser -u "$TRAINING_USER" -- env -i PATH="$PATH" sh -euc '
umask 077
cd "$1"
new=$(mktemp .new.XXXXXX)
trap "rm -f \"$new\"" EXIT
trap "exit 143" HUP INT TERM
cat > "$new"
mv -fT "$new" "$2.json"
' sh "$home/.config/edgetrain/sites" "$1"
echo "trainings on this VM may read the data of site $1"
