// $(VAR) in the environment of a container, as the kubelet expands it. Pure.

/** `$(NAME)` becomes the value; an unknown one stays; `$$` is a dollar sign, so `$$(NAME)` stays `$(NAME)`. */
export function expand(text: string, known: (name: string) => string | undefined): string {
  return text.replace(/\$(?:\$|\(([^)]*)\))/g, (whole, name: string | undefined) =>
    name === undefined ? '$' : (known(name) ?? whole)
  )
}
