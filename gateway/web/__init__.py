"""The only starlette: routes, middleware, errors, pages. Every answer goes out dressed in preferences."""
