// What stands in a line of a shell, as far as the documents need it: quotes, comments, pipes, substitutions.

/** The simple commands of a line, as words; what stands in `$(…)` and `<(…)` is a command of its own. */
export function commandsOf(line: string): string[][] {
  const inner: string[] = []
  // In double quotes a substitution is one, too.
  const outer = line.replace(/[$<]\(([^()]*)\)/g, (_, text: string) => {
    inner.push(text)
    return 'SUBSTITUTED'
  })
  return [...inner.flatMap(commandsOf), ...simple(outer)]
}

function simple(line: string): string[][] {
  const commands: string[][] = [[]]
  const parts = /(\s+)|'([^']*)'|"((?:[^"\\]|\\.)*)"|(#.*)|(\d?(?:>>|[<>])&?\s*\S+)|([;|&()]+)|([^\s'";|&()<>]+)/g
  let isInWord = false
  for (const [, blank, single, double, comment, redirection, end, bare] of line.matchAll(parts)) {
    if (comment !== undefined && !isInWord) break
    if (end !== undefined) commands.push([])
    const word = single ?? double ?? bare ?? comment
    if (word !== undefined) {
      const words = commands.at(-1)!
      if (isInWord) words[words.length - 1] += word
      else words.push(word)
    }
    isInWord = word !== undefined && blank === undefined && redirection === undefined
  }
  return commands.filter(words => words.length > 0)
}

/** The words behind `kt`, of a command that runs it; `sudo` and variables may stand in front. */
export function ktWords(words: readonly string[]): string[] | undefined {
  const at = words.findIndex(word => word !== 'sudo' && !/^[A-Z_]+=/.test(word))
  return words[at] === 'kt' ? words.slice(at + 1) : undefined
}
