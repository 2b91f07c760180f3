// Asks rota's gate before each tool of pi. Where it cannot be asked the call throws, and pi runs nothing then.
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";

const TOOLS = { bash: "Bash", write: "Write", edit: "Edit", read: "Read", grep: "Grep", find: "Glob", ls: "Glob" };

export default function (pi) {
  const [python, gate, rules, ready] = JSON.parse(process.env.ROTA_PI_GATE);
  delete process.env.ROTA_PI_GATE;
  pi.on("tool_call", async (event) => {
    const input = { ...event.input, file_path: event.input.path };
    const asked = { tool_name: TOOLS[event.toolName] ?? event.toolName, tool_input: input, cwd: process.cwd() };
    const said = execFileSync(python, ["-IS", gate, rules], { input: JSON.stringify(asked), timeout: 30000 });
    const decision = JSON.parse(said.toString()).hookSpecificOutput;
    if (decision.permissionDecision !== "allow") return { block: true, reason: decision.permissionDecisionReason };
  });
  // What the agent's commands get of the environment: no keys.
  const keys = Object.keys(process.env).filter((name) => name.endsWith("_API_KEY"));
  pi.on("tool_call", async (event) => {
    if (event.toolName === "bash") event.input.command = `unset ${keys.join(" ")}\n${event.input.command}`;
  });
  writeFileSync(ready, "");
}
