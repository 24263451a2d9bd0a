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

# ADDRESS METHOD PATH [BODY]: one request by hand, the answer with its head on standard output.
ask() {
    local address="$1" method="$2" path="$3" body="${4:-}"
    exec 3<>"/dev/tcp/${address%:*}/${address##*:}" || return 1
    printf '%s %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s' \
        "$method" "$path" "$address" "${#body}" "$body" >&3
    cat <&3
    exec 3<&- 3>&-
}

# ADDRESS OF THE API: the copies that are asked for of the service `web`.
desired() {
    ask "$1" GET /api/v1/services/web | grep -o '"replicas":{"desired":[0-9]*' | head -1 | grep -o '[0-9]*$'
}
