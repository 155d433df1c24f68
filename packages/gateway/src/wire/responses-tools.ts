/** Tools of the Responses API into those of the one form. */
import { type Fields, unsupported, wrongType } from './responses-check.ts';

/** Tools and the choice among them, as far as they can be carried. */
export interface CarriedTools {
  readonly tools?: readonly Fields[];
  readonly tool_choice?: unknown;
}

/** Fields that the one form has; of all others none is lost without a word. */
const CARRIED: Readonly<Record<'function' | 'custom', readonly string[]>> = {
  function: ['type', 'name', 'description', 'parameters', 'strict'],
  custom: ['type', 'name', 'description', 'format'],
};

/**
 * Translates tools. Functions and custom tools are carried; those that OpenAI itself runs (searches, computers, MCP) are
 * named as not carried.
 *
 * @param notCarried is added to
 * @throws {GatewrightError} `GW_REQUEST_TYPE`; `GW_REQUEST_UNSUPPORTED` where the choice forces a tool that is not carried
 */
export function carriedTools(
  tools: readonly Fields[] | null | undefined,
  choice: string | Fields | null | undefined,
  notCarried: string[],
): CarriedTools {
  const carried: Fields[] = [];
  for (const [index, tool] of (tools ?? []).entries()) {
    const path = `tools[${index}]`;
    const type = tool['type'];
    if (type !== 'function' && type !== 'custom') {
      notCarried.push(path);
      continue;
    }
    if (typeof tool['name'] !== 'string' || tool['name'] === '')
      throw wrongType(`${path}.name`, `${path} has no name.`, 'Give it a name: {"type": "function", "name": ...}.');
    for (const name in tool)
      if (!CARRIED[type].includes(name) && tool[name] != null && tool[name] !== false)
        notCarried.push(`${path}.${name}`);
    carried.push(type === 'function' ? functionTool(tool, path) : customTool(tool));
  }
  const tool_choice = choice == null ? undefined : carriedChoice(choice, carried, notCarried);
  if (carried.length === 0) return {};
  return { tools: carried, ...(tool_choice === undefined ? {} : { tool_choice }) };
}

function functionTool({ name, description, parameters, strict }: Fields, path: string): Fields {
  if (parameters != null && (typeof parameters !== 'object' || Array.isArray(parameters)))
    throw wrongType(`${path}.parameters`, `${path}.parameters is not an object.`, 'Give a JSON schema, or null.');
  return {
    type: 'function',
    function: {
      name,
      ...(description == null ? {} : { description }),
      ...(parameters == null ? {} : { parameters }),
      ...(strict == null ? {} : { strict }),
    },
  };
}

function customTool({ name, description, format }: Fields): Fields {
  const form = format as Fields | null | undefined;
  return {
    type: 'custom',
    custom: {
      name,
      ...(description == null ? {} : { description }),
      ...(form == null
        ? {}
        : {
            format:
              form['type'] === 'grammar'
                ? { type: 'grammar', grammar: { syntax: form['syntax'], definition: form['definition'] } }
                : form,
          }),
    },
  };
}

function carriedChoice(choice: string | Fields, carried: readonly Fields[], notCarried: string[]): unknown {
  if (typeof choice === 'string') {
    if (choice !== 'auto' && choice !== 'none' && choice !== 'required')
      throw wrongType(
        'tool_choice',
        `There is no tool_choice ${JSON.stringify(choice.slice(0, 60))}.`,
        'Use "auto", "none" or "required", or an object.',
      );
    if (choice === 'required' && carried.length === 0)
      throw unsupported(
        'tool_choice',
        'tool_choice requires a call, and none of the tools can be offered here.',
        'Give a function, or leave tool_choice out.',
      );
    return choice;
  }
  const { type, name, mode, tools } = choice;
  switch (type) {
    case 'function':
    case 'custom':
      if (typeof name !== 'string')
        throw wrongType('tool_choice.name', '"tool_choice.name" is missing.', 'Name one of the tools.');
      return { type, [type]: { name } };
    case 'allowed_tools': {
      if (!Array.isArray(tools))
        throw wrongType('tool_choice.tools', '"tool_choice.tools" is not a list.', 'List the tools that may be used.');
      const allowed = tools.flatMap((tool: Fields | null, index) => {
        const kind = tool?.['type'];
        if (kind === 'function' || kind === 'custom') return [{ type: kind, [kind]: { name: tool!['name'] } }];
        notCarried.push(`tool_choice.tools[${index}]`);
        return [];
      });
      if (allowed.length === 0 && mode === 'required')
        throw unsupported(
          'tool_choice',
          'tool_choice requires a call, and none of the tools that it allows can be offered here.',
          'Allow a function.',
        );
      return allowed.length === 0 ? 'none' : { type, allowed_tools: { mode: mode ?? 'auto', tools: allowed } };
    }
    default:
      throw unsupported(
        'tool_choice',
        `tool_choice forces ${JSON.stringify(String(type).slice(0, 60))}, which no expert can run here.`,
        'Choose a function, or let the model choose.',
      );
  }
}
