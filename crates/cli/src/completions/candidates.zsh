# Flags and generations, which the command itself knows.
_flagstone_candidates() {
    local -a typed found
    typed=("${(@Q)${(z)LBUFFER}}")
    [[ $LBUFFER == *[[:blank:]] ]] && typed+=('')
    while (( $#typed )) && [[ ${typed[1]:t} != flagstone ]]; do shift typed; done
    found=(${(f)"$("${typed[1]}" --candidates "${(@)typed[2,-1]}" 2>/dev/null)"})
    compadd -a found
}

