#!/usr/bin/env bash
# A real one-node Slurm on loopback, for test_slurm.py; as root. State, sockets and logs lie in the given folder.
#   slurm_up.sh FOLDER     prints `sinfo`; stop it with slurm_down.sh FOLDER
set -euo pipefail
folder=$(realpath -m "$1")
# Ports of its own: a Slurm that serves this machine keeps its.
controller_port=${SLURM_CTLD_PORT:-16817} node_port=${SLURM_D_PORT:-16818}
host=$(hostname -s)
# Slurm reads one place unless told otherwise, and jobs are not told: a cluster that is configured there is left alone.
conf=/etc/slurm/slurm.conf
if [ -e "$conf" ] && [ "$(readlink "$conf")" != "$folder/slurm.conf" ]; then
  echo "$conf is there already: this machine belongs to a cluster" >&2
  exit 1
fi
mkdir -p "$folder"/{state,spool,log,munge}
chmod 700 "$folder/munge"
chmod 755 "$folder"

alive() { [ -f "$1" ] && kill -0 "$(cat "$1")" 2>/dev/null; }

# munge with its own key and socket
[ -f "$folder/munge/key" ] || { dd if=/dev/urandom of="$folder/munge/key" bs=1 count=1024 status=none; chmod 400 "$folder/munge/key"; }
alive "$folder/munge/munged.pid" || munged --force --key-file="$folder/munge/key" --socket="$folder/munge/sock" \
  --pid-file="$folder/munge/munged.pid" --log-file="$folder/munge/munged.log" --seed-file="$folder/munge/seed"

# MinJobAge: finished jobs stay in squeue, which stands in for an accounting database.
cat > "$folder/slurm.conf" <<CONF
ClusterName=confuselt
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$controller_port
SlurmdPort=$node_port
AuthType=auth/munge
AuthInfo=socket=$folder/munge/sock
CredType=cred/munge
SlurmUser=root
SlurmdUser=root
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SlurmctldLogFile=$folder/log/slurmctld.log
SlurmdLogFile=$folder/log/slurmd.log
ProctrackType=proctrack/pgid
TaskPlugin=task/none
MpiDefault=none
ReturnToService=2
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
JobCompType=jobcomp/filetxt
JobCompLoc=$folder/log/jobcomp.txt
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
SchedulerParameters=sched_interval=1,sched_min_interval=100000,batch_sched_delay=0
MinJobAge=3600
DefMemPerCPU=512
NodeName=$host NodeAddr=127.0.0.1 CPUs=$(nproc) RealMemory=$(awk '/MemTotal/{printf "%d", $2 / 1024 * 0.9}' /proc/meminfo) State=UNKNOWN
PartitionName=main Nodes=$host Default=YES MaxTime=INFINITE State=UP
CONF
mkdir -p /etc/slurm
ln -sfn "$folder/slurm.conf" "$conf"
alive "$folder/slurmctld.pid" || slurmctld -f "$folder/slurm.conf"
for _ in $(seq 100); do scontrol ping 2>/dev/null | grep -q UP && break; sleep .2; done
alive "$folder/slurmd.pid" || slurmd -f "$folder/slurm.conf" -N "$host"
for try in $(seq 150); do
  sinfo -h -o %T 2>/dev/null | grep -qE 'idle|mixed|allocated' && break
  [ $((try % 10)) = 0 ] && { scontrol update nodename="$host" state=resume 2>/dev/null || true; }
  sleep .2
done
sinfo -N -l
sinfo -h -o %T | grep -qE 'idle|mixed|allocated'
