#!/bin/sh
# Prepares the VM: packages, data disk, users, SSH, HAProxy, the job's Python and the job. For root; cloud-init runs it
# once, and it may be run again at any time: what is there already is left alone. Settings: /etc/edgetrain/hub.env.
set -eu
umask 022

ETC=${EDGETRAIN_ETC:-/etc/edgetrain}
LIB=/usr/local/lib/edgetrain
SSH_KEYS=/etc/ssh/edgetrain
STATUS=$ETC/provision.status
PACKAGES="ca-certificates containernetworking-plugins coreutils crun curl dbus-user-session fuse-overlayfs haproxy
iptables openssh-server podman python3 python3-venv slirp4netns uidmap util-linux xz-utils"
LEAST_PODMAN=4.3

changes=0
step=settings
rubbish=
recorded=
trap 'ended $?' EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

say() { echo "edgetrain: $*"; }
changed() { changes=$((changes + 1)); say "$*"; }
fail() { echo "edgetrain: $step: $*" >&2; record "failed: $step: $*"; exit 1; }
record() { recorded=yes; printf '%s\n' "$*" > "$STATUS.new" && mv -f "$STATUS.new" "$STATUS"; }
# ended STATUS: whatever it died of, nobody finds an earlier run's "ready".
ended() {
    # shellcheck disable=SC2086
    rm -rf $rubbish
    [ "$1" = 0 ] || [ -n "$recorded" ] || record "failed: $step: it ended with status $1; see: journalctl -u edgetrain-provision"
}
systemd() { [ -d /run/systemd/system ]; }
as() { user=$1; shift; runuser -u "$user" -- env -i HOME="$(home_of "$user")" PATH="$PATH" LANG=C.UTF-8 "$@"; }
home_of() { getent passwd "$1" | cut -d: -f6; }

owner() { stat -L -c %u "$1"; }
# open FOLDER: its group, or everybody, can put something in the place of what is in it.
open() { [ ! -k "$1" ] && [ -n "$(find -L "$1" -prune -perm /022)" ]; }

# base FOLDER: the deepest of it and its parents that only root can change, all of its own parents included.
base() {
    deepest=$1 place=$1
    while [ "$place" != / ]; do
        case $(owner "$place") in 0 | "$(id -u)") ;; *) deepest=$(dirname "$place") ;; esac
        ! open "$place" || deepest=$(dirname "$place")
        place=$(dirname "$place")
    done
    echo "$deepest"
}

# put MODE OWNER FILE: the input becomes the file, in one step, unless it is that already. Users own some of the folders,
# and would set links there: so it is written where only root can, and moved into a folder that is held and was looked at.
# Never the end of a pipeline, which is a process of its own: what it counts would be lost, so that nobody reloads.
put() {
    parent=$(dirname "$3")
    safe=$(base "$parent")
    new=$(mktemp "$safe/.edgetrain.XXXXXX")
    rubbish="$rubbish $new"
    cat > "$new"
    chmod "$1" "$new"
    chown "$2" "$new"
    told=0
    ( moved "$safe" "${parent#"$safe"}" "$(basename "$3")" "$new" ) || told=$?
    rm -f "$new"
    case $told in
        0) changed "wrote $3" ;;
        3) ;;
        4) fail "$parent leads to another place; remove the link that is in it" ;;
        *) fail "$3 cannot be written" ;;
    esac
}

# moved BASE BELOW NAME NEW: 3: it was there already; 4: the folder is elsewhere.
moved() {
    { cd -P "$1" && there=$(pwd -P) && cd -P "./$2"; } || return 1
    [ "$(pwd -P)" = "$there$2" ] || return 4
    if [ "$(stat -c '%F %a %U:%G' "$3" 2>/dev/null)" = "$(stat -c '%F %a %U:%G' "$4")" ] && cmp -s "$4" "./$3"; then
        return 3
    fi
    mv -fT "$4" "./$3"
}

# folder MODE OWNER PATH: a user's, below the home, is made by that user, so that a link leads root nowhere.
folder() {
    # A link that a user put there would give that user what it leads to.
    case $2 in root:*) ;; *) [ ! -L "$3" ] || fail "$3 is a link, and must be a folder; remove the link" ;; esac
    [ "$(stat -c '%a %U:%G' "$3" 2>/dev/null)" = "$1 $2" ] && return 0
    if [ "$(base "$(dirname "$3")")" = "$(dirname "$3")" ]; then
        mkdir -p "$3"
        chown "$2" "$3"
        chmod "$1" "$3"
    else
        as "${2%:*}" sh -c 'mkdir -p "$2" && chmod "$1" "$2"' sh "$1" "$3" || fail "$3 is not a folder of ${2%:*}; remove it"
    fi
    changed "made $3"
}

packages() {
    missing=
    for name in $PACKAGES; do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null || true)" = installed ] || missing="$missing $name"
    done
    [ -z "$missing" ] && return 0
    # The package would start a HAProxy of its own.
    systemctl mask haproxy.service >/dev/null 2>&1 || true
    export DEBIAN_FRONTEND=noninteractive
    options="-o DPkg::Lock::Timeout=600 -o Dpkg::Options::=--force-confold"
    dpkg --configure -a >/dev/null 2>&1 || true # an earlier try was interrupted
    log=$(mktemp)
    rubbish="$rubbish $log"
    # shellcheck disable=SC2086
    if ! { apt-get $options update -q && apt-get $options install -qy --no-install-recommends $missing; } >"$log" 2>&1
    then
        said=$(grep -E '^(E|W|Err):' "$log" | tail -n 3 | tr '\n' ' ')
        fail "cannot install$missing (${said:-apt-get failed}); give the VM a package mirror, then run: edgetrain-provision"
    fi
    changed "installed$missing"
}

engine() {
    found=$(podman --version | sed -n 's/.* \([0-9]*\.[0-9]*\).*/\1/p')
    [ "$(printf '%s\n%s\n' "$LEAST_PODMAN" "$found" | sort -V | head -n 1)" = "$LEAST_PODMAN" ] ||
        fail "podman is $found, and $LEAST_PODMAN is needed; take an image with Debian 12 or Ubuntu 24.04"
}

data_disk() {
    if [ "$DATA_DISK" = none ]; then
        folder 755 root:root "$DATA_FOLDER"
        return 0
    fi
    mountpoint -q "$DATA_FOLDER" && return 0
    waited=0
    while [ ! -b "$DATA_DISK" ]; do
        [ "$waited" -lt "$DATA_DISK_SECONDS" ] ||
            fail "there is no disk $DATA_DISK; attach the data disk at LUN 0, or write DATA_DISK=none into $ETC/hub.env"
        sleep 2
        waited=$((waited + 2))
    done
    [ -z "$(ls -A "$DATA_FOLDER" 2>/dev/null)" ] ||
        fail "$DATA_FOLDER has files, which the disk would hide; move them away"
    if [ -z "$(wipefs --noheadings "$DATA_DISK")" ]; then
        mkfs.ext4 -q -m 1 "$DATA_DISK" || fail "$DATA_DISK cannot be formatted"
        changed "formatted $DATA_DISK"
    fi
    uuid=$(blkid -o value -s UUID "$DATA_DISK" || true)
    { [ -n "$uuid" ] && [ "$(blkid -o value -s TYPE "$DATA_DISK")" = ext4 ]; } ||
        fail "$DATA_DISK holds something else than ext4, which is left alone; give an empty disk, or wipe it: wipefs --all"
    mkdir -p "$DATA_FOLDER"
    grep -q "^UUID=$uuid " /etc/fstab ||
        echo "UUID=$uuid $DATA_FOLDER ext4 defaults,nofail,nodev,nosuid 0 2" >> /etc/fstab
    mount "$DATA_FOLDER" 2>/dev/null || mount -o nodev,nosuid "UUID=$uuid" "$DATA_FOLDER" ||
        fail "$DATA_DISK cannot be mounted at $DATA_FOLDER"
    systemd && systemctl daemon-reload
    changed "mounted $DATA_DISK at $DATA_FOLDER"
}

# account NAME KEYS: an ordinary user with ids for its containers, who logs in with these keys and no others.
account() {
    name=$1 keys=$2 home=$DATA_FOLDER/$1
    [ -s "$keys" ] || fail "there is no public key for user $name in $keys; write one line such as: ssh-ed25519 AAAA..."
    grep -q 'PRIVATE KEY' "$keys" && fail "$keys holds a private key; replace it by the public half, and make a new pair"
    ssh-keygen -l -f "$keys" >/dev/null 2>&1 ||
        fail "$keys is no public key in OpenSSH's form; print it with: ssh-keygen -y -f <the private key>"
    if ! getent passwd "$name" >/dev/null; then
        useradd --create-home --home-dir "$home" --shell /bin/bash --comment "edgetrain" "$name"
        changed "made user $name"
    fi
    [ "$(home_of "$name")" = "$home" ] || fail "user $name has another home than $home; remove the user, or rename it in $ETC/hub.env"
    folder 700 "$name:$name" "$home"
    # No password, and still not locked: sshd refuses locked users.
    case $(getent shadow "$name" | cut -d: -f2) in '*') ;; *) usermod -p '*' "$name" ;; esac
    for kind in uid gid; do
        grep -q "^$name:" "/etc/sub$kind" 2>/dev/null && continue
        first=$(awk -F: '{ end = $2 + $3; if (end > most) most = end } END { print most < 100000 ? 100000 : most }' \
            /etc/subuid /etc/subgid 2>/dev/null)
        usermod --add-sub"$kind"s "$first-$((first + 65535))" "$name"
        changed "gave $name ids for containers (sub$kind)"
    done
    put 644 root:root "$SSH_KEYS/$name" < "$keys"
    if [ ! -e "/var/lib/systemd/linger/$name" ]; then
        if systemd; then
            loginctl enable-linger "$name"
        else # loginctl does the same where systemd runs
            mkdir -p /var/lib/systemd/linger
            touch "/var/lib/systemd/linger/$name"
        fi
        changed "user $name lingers"
    fi
    # A shell that prints breaks file transfer.
    folder 700 "$name:$name" "$home/bin"
}

ssh_server() {
    {
        echo "# Written by edgetrain-provision; keys only."
        echo "PermitRootLogin no"
        cat "$LIB/sshd_common.conf"
        for name in "$TRAINING_USER" "$SERVING_USER"; do
            echo "Match User $name"
            echo "    AuthorizedKeysFile $SSH_KEYS/%u"
        done
        echo "Match all"
    } > "$draft"
    put 644 root:root /etc/ssh/sshd_config.d/10-edgetrain.conf < "$draft"
    mkdir -p /run/sshd
    problem=$(sshd -t 2>&1) || fail "sshd refuses its configuration: $problem"
    grep -Eq '^Include /etc/ssh/sshd_config\.d/' /etc/ssh/sshd_config ||
        fail "/etc/ssh/sshd_config does not include sshd_config.d; add as its first line: Include /etc/ssh/sshd_config.d/*.conf"
    # Where a socket starts it (Ubuntu), it reads its configuration at the next connection.
    ! systemd || systemctl try-reload-or-restart ssh.service
}

draft() { # FILE SOCKET-FOLDER: the file with its places filled in becomes the draft
    sed -e "s|@ADMIN_SOCKET@|$2/admin.sock|" -e "s|@HEALTH@|127.0.0.1:18080|" -e "s|@MASTER_SOCKET@|$2/master.sock|" \
        -e "s|@PYTHON@|/usr/bin/python3|" -e "s|@PROGRAM@|$LIB/reload_haproxy.py|" -e "s|@HAPROXY@|/usr/sbin/haproxy|" \
        -e "s|@MAIN@|/etc/edgetrain/haproxy.cfg|" -e "s|@PIPELINES@|$home/serving/conf.d|" \
        -e "s|@HOME@|$home|" -e "s|@USER@|$SERVING_USER|" "$1" > "$draft"
}

serving() {
    home=$(home_of "$SERVING_USER") sockets=/run/edgetrain-haproxy own=$SERVING_USER:$SERVING_USER
    before=$changes
    if [ "$(systemctl is-enabled haproxy.service 2>/dev/null)" != masked ]; then # the image had it
        systemctl stop haproxy.service >/dev/null 2>&1 || true
        systemctl mask haproxy.service >/dev/null 2>&1 || fail "haproxy.service cannot be masked"
        changed "masked the system's own HAProxy"
    fi
    folder 700 "$own" "$home/serving"
    folder 700 "$own" "$home/serving/conf.d"
    draft "$LIB/haproxy.cfg" "$sockets"
    put 644 root:root /etc/edgetrain/haproxy.cfg < "$draft"
    draft "$LIB/reload-haproxy" "$sockets"
    put 755 root:root "$home/bin/reload-haproxy" < "$draft"
    draft "$LIB/haproxy-edgetrain.service" "$sockets"
    put 644 root:root /etc/systemd/system/haproxy-edgetrain.service < "$draft"
    if [ "$(readlink "$home/serving/haproxy.sock")" != "$sockets/admin.sock" ]; then
        as "$SERVING_USER" ln -sfn "$sockets/admin.sock" "$home/serving/haproxy.sock"
        changed "linked $home/serving/haproxy.sock"
    fi
    # As the user whose files these are: they may name programs (Lua) that run when they are read.
    problem=$(as "$SERVING_USER" /usr/sbin/haproxy -c -f /etc/edgetrain/haproxy.cfg -f "$home/serving/conf.d" 2>&1) ||
        fail "HAProxy refuses its configuration: $problem"
    # What `systemctl --user enable` does, for a user who may never have logged in.
    wants=$home/.config/systemd/user/default.target.wants
    if [ ! -L "$wants/podman-restart.service" ]; then
        as "$SERVING_USER" mkdir -p "$wants"
        as "$SERVING_USER" ln -sfn /usr/lib/systemd/user/podman-restart.service "$wants/podman-restart.service"
        changed "containers of $SERVING_USER start at a reboot"
    fi
    if ! systemctl is-enabled haproxy-edgetrain.service >/dev/null 2>&1; then
        systemctl enable haproxy-edgetrain.service >/dev/null 2>&1 || fail "haproxy-edgetrain.service cannot be enabled"
        changed "HAProxy starts at a reboot"
    fi
    systemd || return 0
    [ "$changes" = "$before" ] || systemctl daemon-reload
    if ! systemctl is-active --quiet haproxy-edgetrain.service; then
        systemctl restart haproxy-edgetrain.service || fail "HAProxy does not start; see: journalctl -u haproxy-edgetrain"
    elif [ "$changes" != "$before" ]; then
        as "$SERVING_USER" "$home/bin/reload-haproxy" || fail "HAProxy does not take its configuration; see: journalctl -u haproxy-edgetrain"
    fi
}

containers() {
    mkdir -p /etc/systemd/system/user@.service.d
    put 644 root:root /etc/systemd/system/user@.service.d/edgetrain.conf < "$LIB/delegate.conf"
    ! systemd || systemctl daemon-reload
    # Bridges of containers without root, and their published ports.
    for name in "$TRAINING_USER" "$SERVING_USER"; do
        folder 700 "$name:$name" "$(home_of "$name")/.config"
    done
}

# The job's libraries are locked for Python 3.11, which Debian 12 has.
python() {
    command -v python3.11 >/dev/null && return 0
    [ -n "$PYTHON_URL" ] || fail "$(python3 --version 2>&1) is here, and the job needs Python 3.11; take an image with Debian 12, \
or write PYTHON_URL and PYTHON_SHA256 of a build of it into $ETC/hub.env (docs/deploy-hub.md says where)"
    fetched=$(mktemp)
    rubbish="$rubbish $fetched"
    fetch "$PYTHON_URL" "$PYTHON_SHA256" "$fetched"
    rm -rf /opt/edgetrain/python.new
    mkdir -p /opt/edgetrain/python.new
    tar -xf "$fetched" -C /opt/edgetrain/python.new --strip-components=1 --no-same-owner || fail "$PYTHON_URL is no tar file"
    /opt/edgetrain/python.new/bin/python3.11 -c 'import ssl, venv' || fail "$PYTHON_URL holds no Python 3.11 that runs here"
    rm -rf /opt/edgetrain/python
    mv /opt/edgetrain/python.new /opt/edgetrain/python
    ln -sfn /opt/edgetrain/python/bin/python3.11 /usr/local/bin/python3.11
    changed "installed Python 3.11"
}

fetch() { # URL SHA256 FILE
    curl --fail --silent --show-error --location --retry 5 --retry-connrefused --max-time 1800 --output "$3" "$1" 2>"$3.log" || {
        said=$(tail -n 1 "$3.log")
        rm -f "$3" "$3.log"
        fail "cannot fetch $(echo "$1" | sed 's/?.*//') ($said); make it reachable from the VM, then run: edgetrain-provision"
    }
    rm -f "$3.log"
    echo "$2  $3" | sha256sum --check --quiet >/dev/null 2>&1 || {
        rm -f "$3"
        fail "$(echo "$1" | sed 's/?.*//') is not the file with SHA-256 $2; upload it again, or correct the digest in $ETC/hub.env"
    }
}

policy() {
    home=$(home_of "$TRAINING_USER") own=$TRAINING_USER:$TRAINING_USER
    folder 700 "$own" "$home/edgetrain"
    folder 700 "$own" "$home/.config/edgetrain"
    folder 700 "$own" "$home/.config/edgetrain/sites"
    # Its owner may have edited it.
    [ -e "$home/edgetrain/policy.yaml" ] || put 600 "$own" "$home/edgetrain/policy.yaml" < "$ETC/policy.yaml"
}

job() {
    [ -n "$JOB_URL" ] || { say "no job is named (JOB_URL); install it with: edgetrain prepare-vm"; return 0; }
    home=$(home_of "$TRAINING_USER") key=$JOB_KEY
    place=$home/edgetrain/job
    # `edgetrain prepare-vm` may have installed a newer one.
    [ ! -L "$place/current" ] || return 0
    work=$(mktemp -d)
    chmod 755 "$work"
    rubbish="$rubbish $work"
    fetch "$JOB_URL" "$JOB_SHA256" "$work/job.tar"
    tar -xf "$work/job.tar" -C "$work" --no-same-owner || fail "the job's bundle is no tar file"
    [ -d "$place/$key" ] || {
        as "$TRAINING_USER" mkdir -p "$place/.locks"
        as "$TRAINING_USER" cp "$work/lock.txt" "$place/.locks/$key.txt"
    }
    wheels=
    [ ! -d "$work/wheels" ] || wheels=$work/wheels
    as "$TRAINING_USER" sh "$work/install.sh" "$place" "$key" 3.11 "$wheels" < "$work/sources.tar" >/dev/null ||
        fail "the job cannot be installed; pip wrote $place/$key.log"
    as "$TRAINING_USER" sh "$work/switch.sh" "$place" "$key"
    uid=$(id -u "$TRAINING_USER")
    # `edgetrain prepare-vm` adds the registry's credentials.
    [ -e "$place/installation.json" ] || {
        sed -e "s|@HOME@|$home|g" -e "s|@PATH@|/usr/local/bin:/usr/bin:/bin|" -e "s|@RUNTIME@|/run/user/$uid|" \
            "$work/installation.json" > "$draft"
        put 600 "$TRAINING_USER:$TRAINING_USER" "$place/installation.json" < "$draft"
    }
    as "$TRAINING_USER" "$place/current/bin/python" -I -m site_agent.job key >/dev/null || fail "the job does not run"
    changed "installed the job $key"
}

main() {
    [ "$(id -u)" = 0 ] || { recorded=no; echo "edgetrain: run it as root: sudo edgetrain-provision" >&2; exit 2; }
    DATA_DISK=/dev/disk/azure/scsi1/lun0 DATA_DISK_SECONDS=120 DATA_FOLDER=/srv/edgetrain
    TRAINING_USER=edgetrain SERVING_USER=edgetrain-serving
    JOB_URL='' JOB_SHA256='' JOB_KEY='' PYTHON_URL='' PYTHON_SHA256=''
    # shellcheck disable=SC1091
    . "$ETC/hub.env"
    exec 8<>"$ETC/.provision.lock"
    flock -w 1800 8 || fail "another edgetrain-provision does not end"
    draft=$(mktemp)
    rubbish="$rubbish $draft"
    step=packages; packages
    step=podman; engine
    step="data disk"; data_disk
    step=users
    folder 755 root:root "$SSH_KEYS"
    account "$TRAINING_USER" "$ETC/keys/training.pub"
    account "$SERVING_USER" "$ETC/keys/serving.pub"
    step=ssh; ssh_server
    step=containers; containers
    step=serving; serving
    step=policy; policy
    step=python; python
    step=job; job
    [ "$(cat "$STATUS" 2>/dev/null)" = ready ] || record ready
    say "ready, $changes changes"
}

main
