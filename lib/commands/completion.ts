// `kt completion SHELL`: a script that asks `kt __complete` for what fits, so that names of services are live.
import { Argument, Command } from 'commander'

const SHELLS = ['bash', 'zsh', 'fish', 'powershell'] as const
type Shell = (typeof SHELLS)[number]

/** `kt __complete -- WORDS` prints a line `value TAB description` each; the line `:file` means that a file is wanted. */
const SCRIPTS: Record<Shell, string> = {
  bash: `_kt() {
  local value rest
  COMPREPLY=()
  while IFS=$'\\t' read -r value rest; do
    if [[ $value == :file ]]; then
      compopt -o default
    else
      COMPREPLY+=("$value")
      [[ $value == */ ]] && compopt -o nospace
    fi
  done < <("\${COMP_WORDS[0]}" __complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -F _kt kt
`,
  zsh: `#compdef kt
_kt() {
  local line
  local -a lines values
  lines=("\${(@f)$(\${words[1]} __complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  if [[ \${lines[1]} == :file ]]; then
    _files
    return
  fi
  for line in $lines; do
    [[ -n $line ]] && values+=("\${\${line%%$'\\t'*}//:/\\\\:}:\${line#*$'\\t'}")
  done
  _describe -t values kt values
}
if [[ $funcstack[1] == _kt ]]; then _kt "$@"; else compdef _kt kt; fi
`,
  fish: `function __kt_complete
  set -l words (commandline -opc)
  set -l program $words[1]
  set -e words[1]
  set -l current (commandline -ct)
  for line in ($program __complete -- $words "$current" 2>/dev/null)
    if test "$line" = :file
      __fish_complete_path "$current"
    else
      echo $line
    end
  end
end
complete -c kt -e
complete -c kt -f -a '(__kt_complete)'
`,
  powershell: `Register-ArgumentCompleter -Native -CommandName kt -ScriptBlock {
  param($word, $ast, $cursor)
  $words = @($ast.CommandElements | Select-Object -Skip 1 | ForEach-Object { $_.ToString() })
  if ($word -eq '') { $words += ' ' }
  kt __complete -- $words | Where-Object { $_ -ne ':file' } | ForEach-Object {
    $value, $text = $_ -split "\`t", 2
    if (-not $text) { $text = $value }
    [System.Management.Automation.CompletionResult]::new($value, $value, 'ParameterValue', $text)
  }
}
`
}

export function completionCommand(): Command {
  return new Command('completion')
    .description('print a script that completes commands, flags and names of the cluster')
    .addArgument(new Argument('<shell>', 'which one').choices(SHELLS))
    .addHelpText(
      'after',
      `
Examples:
  source <(kt completion bash)                  in ~/.bashrc; zsh the same, behind compinit
  kt completion fish > ~/.config/fish/completions/kt.fish
  kt completion powershell | Out-String | Invoke-Expression`
    )
    .action((shell: Shell) => {
      process.stdout.write(SCRIPTS[shell])
    })
}
