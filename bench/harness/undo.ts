// What a measurement has started and must end even when the user stops it: processes, namespaces, the cluster.

type Undo = () => Promise<unknown> | unknown

const pending: Undo[] = []

/** Remember how something is undone. The function that is returned undoes it, now and only once. */
export function undoable(undo: Undo): () => Promise<void> {
  pending.push(undo)
  return async () => {
    const index = pending.lastIndexOf(undo)
    if (index < 0) return
    pending.splice(index, 1)
    await undo()
  }
}

/** Undo all that is left, the last one first; a failure does not keep the others from being undone. */
export async function undoAll(): Promise<void> {
  for (let undo = pending.pop(); undo !== undefined; undo = pending.pop()) {
    try {
      await undo()
    } catch (error) {
      console.error(error instanceof Error ? error.message : error)
    }
  }
}
