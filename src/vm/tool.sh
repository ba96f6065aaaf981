# A tool as an agent: from its standard output through jq, and ready once it has told of an exec.
busybox mkfifo /dev/tool.lines /dev/tool.events || exit 1
{ {command}
} > /dev/tool.lines & tool=$!
jq --unbuffered -nRc {filter} < /dev/tool.lines > /dev/tool.events & read=$!
exec 3< /dev/tool.events
while :; do
    IFS= read -r -u 3 -t 0.3 event && break
    # Beyond 128 it is the time that is over; else jq has ended.
    (( $? > 128 )) || break
    bash -c 'env true'
done
[[ $event ]] && echo '{"ready":1}' && { busybox cat <&3 & wait -n $tool $read; }
kill $tool 2>/dev/null
wait $tool; status=$?
wait $read || status=$?
exit $status
