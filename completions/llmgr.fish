# SPDX-License-Identifier: MIT
# Completion of llmgr for fish; see llmgr.bash for where the words come from.
function __llmgr_words
    set -l before (commandline -opc)
    $before[1] help --words -- $before[2..-1] 2>/dev/null
end
complete -c llmgr -a '(__llmgr_words)'
