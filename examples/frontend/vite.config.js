import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

// The page and the gateway share an origin, so the gateway needs no CORS. Its Host header is the
// gateway's own: it answers to no other while callers are anonymous.
const proxy = {
  '/graphql': {
    target: process.env.GATEWAY_URL ?? 'http://127.0.0.1:3000',
    changeOrigin: true,
    // A stream that the gateway does not end properly is broken off here too, so that the page knows and connects anew.
    configure: (proxy) =>
      proxy.on('proxyRes', (answer, _request, response) => {
        answer.on('close', () => answer.complete || response.destroy());
      }),
  },
};

export default defineConfig({
  plugins: [react()],
  server: { proxy },
  preview: { proxy },
});
