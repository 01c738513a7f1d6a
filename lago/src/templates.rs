//! Template repositories, the template store, providers.
