from sample_greeting import greet

PAGE = f"<h1>Back end 1</h1> <p>{greet('Python')}</p>"
