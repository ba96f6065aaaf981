#!/usr/bin/bash
# Agents that fail, one for each word: harness/agents.rs says what must become of them.
ready='{"ready":1}'
case $1 in
dead) echo 'no licence' >&2; exit 3 ;;
mute) exec busybox sleep 1000 ;;
busy) while :; do env true; busybox sleep 0.02; done ;;
hello) echo hello; exec busybox sleep 1000 ;;
newer) echo '{"ready":2}'; exec busybox sleep 1000 ;;
dies) echo "$ready"; echo 'out of memory' >&2; kill -SEGV $$ ;;
silent) echo "$ready"; exec busybox sleep 1000 ;;
floods) echo "$ready"; exec busybox yes '{"pid":1,"path":"/flood"}' ;;
pours) echo "$ready"; exec busybox yes '' ;;
complains) echo "$ready"; exec busybox yes trouble >&2 ;;
leaves) echo "$ready"; busybox setsid busybox yes '{"pid":1}' & exec busybox sleep 1000 ;;
nonsense) echo "$ready"; while :; do echo '{"pid":1,"pth":"/x"}'; busybox sleep 0.02; done ;;
result) echo "$ready"; while :; do echo '{"pid":1,"result":"fine"}'; busybox sleep 0.02; done ;;
early) printf '%s\n{"pid":1,"pth":"/x"}\n' "$ready"; exec busybox sleep 1000 ;;
babbles) echo "$ready"; while :; do echo '{"pid":1}'; busybox sleep 0.02; done ;;
preloads) echo /usr/lib/x86_64-linux-gnu/libc.so.6 > /etc/ld.so.preload; echo 'a library more' >&2; echo "$ready"; exec busybox sleep 1000 ;;
writes) echo "$ready"; while :; do echo x >> /agent.log; busybox sleep 0.02; done ;;
loses) echo "$ready"; while :; do echo '{"lost":2}'; busybox sleep 0.02; done ;;
holds)
    echo "$ready"
    while :; do
        for process in /proc/[0-9]*; do
            read -r comm 2>/dev/null < "$process/comm"
            [[ $comm == monitor ]] && kill -STOP "${process#/proc/}"
        done
    done
    ;;
esac
