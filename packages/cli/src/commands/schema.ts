import { ConfigSchema } from '@gatewright/gateway';
import { type Command, EXIT, parse } from '../command.ts';

/** `gatewright schema`: the JSON Schema of the configuration. */
export const schema: Command = {
  name: 'schema',
  summary: 'Print the JSON Schema of gatewright.yaml.',
  help: `Usage: gatewright schema

Prints the JSON Schema of the configuration, for editors and for reading: every setting with its meaning and default.
The same text is docs/gatewright.schema.json. An editor with YAML support takes it from a first line such as
  # yaml-language-server: $schema=docs/gatewright.schema.json

Example: gatewright schema > gatewright.schema.json`,

  async run(argv, io) {
    parse('schema', argv, { json: { type: 'boolean', default: false } });
    io.print(JSON.stringify(ConfigSchema, null, 2));
    return EXIT.ok;
  },
};
