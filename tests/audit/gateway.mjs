/** The GraphQL endpoint of the gateway at GATEWAY_URL. */
export function endpoint() {
  const gateway = process.env.GATEWAY_URL;
  if (!URL.canParse(gateway)) {
    console.error('GATEWAY_URL is not set to a URL: give that of a running gateway, like http://127.0.0.1:3000');
    process.exit(64);
  }
  return new URL('/graphql', gateway).href;
}
