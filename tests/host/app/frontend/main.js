document.getElementById("version").textContent = "front end 1";
