"""`completion`: the script that lets a shell complete what is typed behind `batchctl`."""

from __future__ import annotations

import argparse

from daemon.batchctl.console.printing import write
from daemon.batchctl.exit_codes import DONE
from daemon.batchctl.settings_in_use import SettingsInUse

BASH = """\
# Tab completion of batchctl for bash: source <(batchctl completion bash)
_batchctl() {
    local begun="${COMP_WORDS[COMP_CWORD]}"
    local -a words=("${COMP_WORDS[@]:1:COMP_CWORD}")
    mapfile -t COMPREPLY < <("${COMP_WORDS[0]}" __complete "${words[@]}" 2>/dev/null)
    # bash takes --feed=x apart at the sign: only what stands behind it is replaced
    if [[ ${COMPREPLY[0]-} == --*=* ]]; then
        COMPREPLY=("${COMPREPLY[@]#*=}")
    elif [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *= ]]; then
        compopt -o nospace 2>/dev/null
    fi
}
complete -o default -F _batchctl batchctl
"""

ZSH = """\
#compdef batchctl
# Tab completion of batchctl for zsh: source <(batchctl completion zsh), behind compinit
_batchctl() {
    local -a found
    found=("${(@f)$("${words[1]}" __complete "${(@)words[2,CURRENT]}" 2>/dev/null)}")
    found=("${(@)found:#}")
    if (( ${#found} )); then compadd -a found; else _files; fi
}
compdef _batchctl batchctl
"""

FISH = """\
# Tab completion of batchctl for fish: batchctl completion fish | source
function __batchctl_complete
    set -l words (commandline -opc)
    set -l found ($words[1] __complete $words[2..-1] (commandline -ct) 2>/dev/null)
    if test (count $found) -gt 0
        printf '%s\\n' $found
    else
        __fish_complete_path (commandline -ct)
    end
end
complete -c batchctl -f -a '(__batchctl_complete)'
"""

SCRIPTS = {"bash": BASH, "zsh": ZSH, "fish": FISH}


def add_completion(parser: argparse.ArgumentParser) -> None:
    """Declare `completion`."""
    parser.add_argument("shell", choices=SCRIPTS, help="the shell; its script is printed, to be sourced")


def run_completion(_: SettingsInUse | None, parsed: argparse.Namespace) -> int:
    """Print the script."""
    write(SCRIPTS[parsed.shell])
    return DONE
