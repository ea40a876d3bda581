# SPDX-License-Identifier: MIT
# Completion of llmgr for bash. The program knows its own words: `llmgr help --words -- WORD...`
# prints what may follow these words, one per line, so that nothing here can be out of date.
_llmgr() {
    local before=("${COMP_WORDS[@]:1:COMP_CWORD-1}") now=${COMP_WORDS[COMP_CWORD]} words
    words=$("${COMP_WORDS[0]}" help --words -- "${before[@]}" 2>/dev/null)
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$now")
}
complete -o default -F _llmgr llmgr
