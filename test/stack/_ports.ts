/** What the server of these tests does on which port. */
export const PORT = {
  echo: 7,
  refused: 81,
  unreachable: 82,
  silent: 83,
  unread: 84,
  answersAtEnd: 85,
  endsFirst: 86,
  resets: 87,
  resetByClient: 88,
  slow: 89
} as const
