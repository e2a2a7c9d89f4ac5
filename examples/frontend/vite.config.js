import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

// The page and the gateway share an origin, so the gateway needs no CORS. Its Host header is the
// gateway's own: it answers to no other while callers are anonymous.
const proxy = {
  '/graphql': {
    target: process.env.GATEWAY_URL ?? 'http://127.0.0.1:3000',
    changeOrigin: true,
  },
};

export default defineConfig({
  plugins: [react()],
  server: { proxy },
  preview: { proxy },
});
