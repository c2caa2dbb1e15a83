#!/usr/bin/env bash
# Stops the daemons that `slurm_up.sh FOLDER` started, by their pid files, and no others.
folder=$(realpath -m "$1")
for file in "$folder/slurmd.pid" "$folder/slurmctld.pid" "$folder/munge/munged.pid"; do
  [ -f "$file" ] || continue
  pid=$(cat "$file")
  kill "$pid" 2>/dev/null
  for _ in $(seq 100); do kill -0 "$pid" 2>/dev/null || break; sleep .1; done
  rm -f "$file"
done
[ "$(readlink /etc/slurm/slurm.conf)" = "$folder/slurm.conf" ] && rm -f /etc/slurm/slurm.conf
exit 0
