#!/bin/sh
# Every SSH session on the VM runs this (ForceCommand): the VM's own environment and home instead of the host's.
set -a
. '@ENVIRONMENT@'
set +a
cd "$HOME" || exit 1
command=${SSH_ORIGINAL_COMMAND-}
unset SSH_ORIGINAL_COMMAND
if [ -n "$command" ]; then
    exec /bin/bash -c "$command"
fi
exec /bin/bash -l
