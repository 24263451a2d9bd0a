# What end-to-end tests share; sourced by them.

# LOG PATTERN PID [SECONDS]: prints what follows the pattern at the start of a line of the log, once it is there (within 30 s
# unless said). A process that ends before, or takes longer, fails the test with its log.
said() {
    local found=""
    for _ in $(seq "$((10 * ${4:-30}))"); do
        # The log may not be there yet: the shell behind the process makes it.
        found="$(sed -n "s|^$2||p" "$1" 2>/dev/null || true)"
        [ -n "$found" ] && break
        kill -0 "$3" 2>/dev/null || break
        sleep 0.1
    done
    if [ -z "$found" ]; then
        echo "nothing said of \"$2\"" >&2
        cat "$1" >&2
        return 1
    fi
    echo "${found%/}"
}
