/* Swagger UI over our own description of the API; requests made here go as the person who is logged in. */
(() => {
  "use strict";
  const place = document.getElementById("swagger-ui");
  const token = () => document.cookie.split("; ").find((part) => part.startsWith("csrftoken="))?.slice(10) ?? "";
  window.SwaggerUIBundle({
    url: place.dataset.schema,
    dom_id: "#swagger-ui",
    presets: [window.SwaggerUIBundle.presets.apis],
    layout: "BaseLayout",
    deepLinking: true,
    validatorUrl: null,
    requestInterceptor: (request) => {
      if (!["GET", undefined].includes(request.method)) request.headers["X-CSRFToken"] = token();
      return request;
    },
  });
})();
