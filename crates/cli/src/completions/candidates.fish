
# Flags and generations, which the command itself knows.
function __flagstone_candidates
    set -l typed (commandline -opc)
    set -l program $typed[1]
    set -e typed[1]
    $program --candidates $typed (commandline -ct) 2>/dev/null
end

complete -c flagstone -n 'string length -q -- (__flagstone_candidates)' -f -a '(__flagstone_candidates)'
complete -c flagstone -l base -x -a '(__flagstone_candidates)'
complete -c flagstone -n '__fish_flagstone_using_subcommand rollback' -l to -x -a '(__flagstone_candidates)'
complete -c flagstone -n '__fish_flagstone_using_subcommand inspect' -l generation -x -a '(__flagstone_candidates)'
