# CSV to CSV with id, label, confidence and probabilities; with -v only_label=1, id and label.
BEGIN { FS = OFS = ","; OFMT = CONVFMT = "%.17g" }
NR == 1 {
    classes = NF
    line = only_label ? "id,label" : "id,label,probability"
    for (i = 2; i <= NF; i++) { name[i] = $i; if (!only_label) line = line ",p_" $i }
    print line
    next
}
{
    best = 2; largest = $2 + 0
    for (i = 3; i <= classes; i++) if ($i + 0 > largest) { best = i; largest = $i + 0 }
    if (only_label) { print $1, name[best]; next }
    total = 0
    for (i = 2; i <= classes; i++) total += power[i] = exp($i - largest)
    line = ""
    for (i = 2; i <= classes; i++) line = line "," power[i] / total
    print $1, name[best], 1 / total line
}
