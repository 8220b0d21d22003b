
# Flags and generations, which the command itself knows; else what the script above offers.
_flagstone_candidates() {
    local word glue= last full prefix cur="${COMP_WORDS[COMP_CWORD]}"
    local words=()
    # Bash takes "a:b" and "--store=DIR" apart.
    for word in "${COMP_WORDS[@]:1:COMP_CWORD}"; do
        last=$((${#words[@]} - 1))
        if [[ $last -ge 0 && ( -n $glue || $word == [=:]* ) ]]; then
            words[last]+=$word
        else
            words+=("$word")
        fi
        glue=
        if [[ $word == *[=:] ]]; then glue=1; fi
    done
    [[ $cur == [=:] ]] && cur=
    full=${words[${#words[@]} - 1]}
    [[ $full == --*=* ]] && full=${full#*=}
    prefix=${full%"$cur"}
    # A class's name has backslashes, typed as two each.
    full=${full//\\\\/\\} prefix=${prefix//\\\\/\\}
    COMPREPLY=()
    while IFS= read -r word; do
        if [[ -n $word && $word == "$full"* ]]; then COMPREPLY+=("$(printf %q "${word#"$prefix"}")"); fi
    done < <("${COMP_WORDS[0]}" --candidates "${words[@]}" 2>/dev/null)
    if [[ ${#COMPREPLY[@]} -eq 0 ]]; then _flagstone "$@"; fi
}

complete -F _flagstone_candidates -o bashdefault -o default flagstone
