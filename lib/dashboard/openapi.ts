// What the dashboard's server answers, as OpenAPI 3.1. A test compares it with the routes that there are.

const json = (description: string): object => ({ description, content: { 'application/json': {} } })
const REFUSED = {
  '401': json('no cookie of the page and no bearer token: `{ code, message, hint }`'),
  '403': json('another name than that of the dashboard, or another page that asks')
}

interface Parameter {
  name: string
  in: 'path' | 'query'
  required: boolean
  schema: object
}

const path = (name: string, schema: object = { type: 'string' }): Parameter => ({
  ...{ name, in: 'path', required: true },
  schema
})
const query = (name: string, required: boolean): Parameter => ({
  name,
  in: 'query',
  required,
  schema: { type: 'string' }
})

function operation(summary: string, answers: Record<string, object>, parameters: Parameter[] = []): object {
  return { summary, ...(parameters.length === 0 ? {} : { parameters }), responses: { ...answers, ...REFUSED } }
}

const WISH = {
  type: 'object',
  required: ['kind', 'service', 'expose'],
  properties: {
    kind: { enum: ['exchange', 'preview', 'mesh'] },
    service: { type: 'string', description: 'as `kt exchange` takes it; for a preview the new name' },
    expose: { type: 'string', description: 'as `--expose`: 3000:80' },
    versionMark: { type: 'string', description: 'of a mesh, as `--versionMark`' }
  }
}

const BEGIN = {
  ...operation('Begin an exchange, preview or mesh; answered when it works', {
    '201': json('it works'),
    '400': json('the wish cannot be fulfilled: `{ code, message, hint }`'),
    '404': json('no such service'),
    '409': json('somebody else has it')
  }),
  requestBody: { required: true, content: { 'application/json': { schema: WISH } } }
}

/** Served as `/api/openapi.json`. */
export const OPENAPI = {
  openapi: '3.1.0',
  info: {
    title: 'kt dashboard',
    version: '1',
    description:
      'On loopback only. With the cookie of the page (changes also want `x-kt-csrf`), or with a bearer token.'
  },
  components: { securitySchemes: { bearer: { type: 'http', scheme: 'bearer' } } },
  security: [{ bearer: [] }],
  paths: {
    '/metrics': { get: operation('Figures for Prometheus', { '200': { description: 'text format 0.0.4' } }) },
    '/api/openapi.json': { get: operation('This document', { '200': json('OpenAPI 3.1') }) },
    '/api/session': { get: operation('Whose dashboard this is', { '200': json('`{ identity, csrf }`') }) },
    '/api/status': { get: operation('As `kt status --output json`', { '200': json('the status') }) },
    '/api/flows': { get: operation('Conversations of this moment', { '200': json('an array') }) },
    '/api/services': { get: operation('Services and who holds them', { '200': json('an array') }) },
    '/api/works': {
      get: operation('What was begun here', { '200': json('an array') }),
      post: BEGIN
    },
    '/api/works/{id}': {
      delete: operation(
        'Give back; answered when everything is as it was',
        { '204': { description: 'done' }, '404': json('no such') },
        [path('id')]
      )
    },
    '/api/requests': {
      get: operation('Requests that came while a page was open', { '200': json('an array') })
    },
    '/api/requests/{id}/{side}': {
      get: operation('A body', { '200': json('`{ body, base64, cut }`'), '404': json('not remembered any more') }, [
        path('id'),
        path('side', { enum: ['request', 'response'] })
      ])
    },
    '/api/dns': {
      get: operation('Who answers a name, and why', { '200': json('as `kt dns`'), '400': json('no such name') }, [
        query('name', true),
        query('type', false)
      ])
    },
    '/api/events': {
      get: operation('What changes, from now on', { '200': { description: 'text/event-stream of updates' } })
    }
  }
}
