export const sign = (name) => `Installed by ${name}.`;
