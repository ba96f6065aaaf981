# docs/system.tsv as the tables of docs/system.md; vm/system calls it.
function ms(us) { return int((us + 500) / 1000) }

function version(kernel,    number) {
    split(kernel, number, /[.\t]/)
    return 1000 * number[1] + number[2]
}

# The endings of a row in words.
function words(list,    item, pair, text, i, n) {
    n = split(list, item, " ")
    for (i = 1; i <= n; i++) {
        split(item[i], pair, "=")
        text = text (i > 1 ? ", " : "") (pair[1] == "on" ? "goes on" : pair[1] == "128+n" ? "status 128 and its number" : "status " pair[1]) (n > 1 ? " (" pair[2] ")" : "")
    }
    return text
}

NR == 1 { next }
!(($1, $2) in known) { known[$1, $2]; kernels[++kernels[0]] = $1 "\t" $2 }
{ errors += $6 }
$3 ~ /^signal / {
    split($3, word, " ")
    key = $1 "\t" $2 "\t" word[5]
    if (!(key in signals) || $4 < least[key]) least[key] = $4
    signals[key]++
    times[key] += $4
    wrong[key] += $6
    if ($5 > longest[key]) longest[key] = $5
    # What became of each, on all kernels.
    name = word[2]
    if (!((word[5], name) in ends)) order[++order[0]] = word[5] "\t" name
    split($7, item, " ")
    text = words($7)
    gsub(/ \([0-9]+\)/, "", text)
    if (!index(ends[word[5], name] ";", text ";")) ends[word[5], name] = ends[word[5], name] (ends[word[5], name] == "" ? "" : "; ") text
    next
}
$3 == "life" { life[++life[0]] = $0; next }
{ rows[$1, $2] = rows[$1, $2] "| " $1 " | " $3 " | " $4 " | " ms($5) " ms | " words($7) " | " $6 " |\n" }

END {
    if (!kernels[0]) { print "Nothing was done yet."; exit }
    # By their versions.
    for (i = 2; i <= kernels[0]; i++)
        for (j = i; j > 1 && version(kernels[j]) < version(kernels[j - 1]); j--) {
            other = kernels[j]
            kernels[j] = kernels[j - 1]
            kernels[j - 1] = other
        }
    text = "Kernels:"
    for (i = 1; i <= kernels[0]; i++) { split(kernels[i], field, "\t"); text = text (i > 1 ? ", " : " ") field[2] " (" field[1] ")" }
    print text ". " (errors ? "What was not as it is to be is counted: " errors "." : "Everything was as it is to be.")
    print ""
    print "| kernel | what | times | the longest program took | the monitor | not as it is to be |"
    print "|---|---|---|---|---|---|"
    for (i = 1; i <= kernels[0]; i++) {
        split(kernels[i], field, "\t")
        printf "%s", rows[field[1], field[2]]
        for (j = 1; j <= 2; j++) {
            to = j == 1 ? "monitor" : "guard"
            key = kernels[i] "\t" to
            if (key in signals)
                print "| " field[1] " | " signals[key] " signals to the " to " | " least[key] " each | " ms(longest[key]) " ms | below | " wrong[key] + 0 " |"
        }
    }
    if (order[0]) {
        print "\nWhat became of it after each signal, on every kernel on which it was sent:\n"
        print "| to the | signals | it |"
        print "|---|---|---|"
        for (i = 1; i <= order[0]; i++) {
            split(order[i], field, "\t")
            group = field[1] " | " ends[field[1], field[2]]
            if (!(group in members)) groups[++groups[0]] = group
            if (field[2] ~ /^RT/) { real[group]++; if (!(group in first)) first[group] = field[2]; last[group] = field[2] }
            else members[group] = members[group] " " field[2]
            members[group] = members[group]
        }
        for (i = 1; i <= groups[0]; i++) {
            group = groups[i]
            split(group, field, " [|] ")
            text = members[group]
            if (group in real) text = text " " (real[group] == 31 ? "RTMIN to RTMAX" : real[group] " real-time ones")
            print "| " field[1] " |" text " | " field[2] " |"
        }
    }
    if (life[0]) {
        print "\nBeside it, as a unit of systemd's:\n"
        print "| kernel | seconds | the longest program took | packages installed and purged | cores kept | messages in syslog | jobs of cron | lines of the monitor in the journal | not as it is to be |"
        print "|---|---|---|---|---|---|---|---|---|"
        for (i = 1; i <= life[0]; i++) {
            split(life[i], field, "\t")
            n = split(field[8], item, " ")
            delete count
            for (j = 1; j <= n; j++) { split(item[j], pair, "="); count[pair[1]] = pair[2] }
            print "| " field[1] " | " field[4] " | " ms(field[5]) " ms | " count["packages"] " | " count["cores"] " | " count["messages"] " | " count["cron"] " | " count["lines"] " | " field[6] " |"
        }
    }
}
